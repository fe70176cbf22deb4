// A self-contained HTML page: no script, no network, pictures and charts inside it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "comm/base/bytes.h"
#include "comm/report/svg_chart.h"

namespace consilium::report {

using TableRow = std::vector<std::string>;

// Texts are plain and escaped here.  Strand-bound.
class HtmlPage {
 public:
  explicit HtmlPage(std::string title);

  void Heading(const std::string& text);
  void Paragraph(const std::string& text);
  // The first column is a name, the others are aligned as numbers.  Rows may be shorter than the header.
  void Table(const TableRow& header, const std::vector<TableRow>& rows);
  void Chart(const ChartOptions& options, const std::vector<Series>& series);
  // `png` are the bytes of a PNG file; `caption` is also its text for those who cannot see it.
  void Picture(ByteSpan png, const std::string& caption);

  // The whole page.
  std::string Finish() const;

 private:
  std::string title_, body_;
};

}  // namespace consilium::report
