#include "comm/report/html_page.h"

#include "comm/base/base64.h"

namespace consilium::report {
namespace {

constexpr char kStyle[] =
    "body{font:16px/1.5 system-ui,sans-serif;color:#222;background:#fff;max-width:62rem;margin:2rem auto;padding:0 "
    "1rem}"
    "h1{font-size:1.7rem;margin-bottom:.3rem}h2{font-size:1.2rem;margin-top:2rem;border-bottom:1px solid #ddd}"
    "table{border-collapse:collapse;margin:.6rem 0}th,td{padding:.25rem .8rem;border-bottom:1px solid #e4e4e4}"
    "th,td{text-align:right;font-variant-numeric:tabular-nums}th:first-child,td:first-child{text-align:left}"
    "figure{margin:1rem 0}figcaption{color:#555;font-size:.9rem}img,svg{max-width:100%;height:auto}"
    "p{max-width:46rem;white-space:pre-line}";

}  // namespace

HtmlPage::HtmlPage(std::string title) : title_(std::move(title)) {}

void HtmlPage::Heading(const std::string& text) { body_ += "<h2>" + EscapeXml(text) + "</h2>\n"; }

void HtmlPage::Paragraph(const std::string& text) { body_ += "<p>" + EscapeXml(text) + "</p>\n"; }

void HtmlPage::Table(const TableRow& header, const std::vector<TableRow>& rows) {
  body_ += "<table><thead><tr>";
  for (const std::string& cell : header) body_ += "<th>" + EscapeXml(cell) + "</th>";
  body_ += "</tr></thead><tbody>\n";
  for (const TableRow& row : rows) {
    body_ += "<tr>";
    for (const std::string& cell : row) body_ += "<td>" + EscapeXml(cell) + "</td>";
    body_ += "</tr>\n";
  }
  body_ += "</tbody></table>\n";
}

void HtmlPage::Chart(const ChartOptions& options, const std::vector<Series>& series) {
  body_ += "<figure>\n" + LineChart(options, series) + "</figure>\n";
}

void HtmlPage::Picture(ByteSpan png, const std::string& caption) {
  body_ += "<figure><img alt=\"" + EscapeXml(caption) + "\" src=\"data:image/png;base64," + ToBase64(png) +
           "\"><figcaption>" + EscapeXml(caption) + "</figcaption></figure>\n";
}

std::string HtmlPage::Finish() const {
  const std::string title = EscapeXml(title_);
  return "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
         "content=\"width=device-width,initial-scale=1\">\n<title>" +
         title + "</title><style>" + kStyle + "</style></head><body>\n<h1>" + title + "</h1>\n" + body_ +
         "</body></html>\n";
}

}  // namespace consilium::report
