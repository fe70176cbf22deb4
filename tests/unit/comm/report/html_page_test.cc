#include "comm/report/html_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace consilium::report {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(HtmlPage, NeedsNothingFromOutsideAndEscapesEverything) {
  HtmlPage page("Job <b>1</b>");
  page.Heading("a & b");
  page.Paragraph("<img src=http://example.org/x>");
  page.Table({"site", "Dice"}, {{"<i>a</i>", "0.8"}, {"b"}});
  page.Chart({.title = "Dice"}, {{"a", {{0, 1}, {1, 2}}}});
  page.Picture(AsBytes("png"), "cases");
  const std::string html = page.Finish();
  EXPECT_THAT(html, HasSubstr("a &amp; b"));
  EXPECT_THAT(html, HasSubstr("&lt;i&gt;a&lt;/i&gt;"));
  EXPECT_THAT(html, HasSubstr("data:image/png;base64,cG5n"));
  EXPECT_THAT(html, HasSubstr("<svg"));
  EXPECT_THAT(html, Not(HasSubstr("<script")));
  EXPECT_THAT(html, Not(HasSubstr("<img src=http")));
  EXPECT_THAT(html, Not(HasSubstr("<b>")));
}

}  // namespace
}  // namespace consilium::report
