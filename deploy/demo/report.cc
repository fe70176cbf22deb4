#include "deploy/demo/report.h"

#include <cstdio>
#include <fstream>
#include <limits>

#include "comm/base/file.h"
#include "comm/report/html_page.h"
#include "deploy/demo/narrator.h"

namespace consilium::demo {
namespace {

std::string Fixed(double value, int digits) {
  char text[32];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

StatusOr<std::vector<Json>> ReadLines(const std::filesystem::path& path) {
  std::vector<Json> lines;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    ASSIGN_OR_RETURN(Json json, ParseJson(line, path.string()));
    lines.push_back(std::move(json));
  }
  return lines;
}

// A number by round, counted from 1.
report::Series CurveOf(const std::vector<Json>& rounds, const std::string& name, const Json::json_pointer& at) {
  report::Series series = {.name = name, .points = {}};
  for (const Json& round : rounds) {
    const bool there = round.contains(at) && round[at].is_number();
    series.points.emplace_back(round.value("round", 0) + 1.0,
                               there ? round[at].get<double>() : std::numeric_limits<double>::quiet_NaN());
  }
  return series;
}

// One curve a site, or what the sum told: the mean of all.
std::vector<report::Series> Curves(const std::vector<Json>& rounds, const Workspace& workspace,
                                   const std::string& metric) {
  if (workspace.summing == Summing::kSecure)
    return {CurveOf(rounds, "mean of the sites", Json::json_pointer("/mean/" + metric))};
  std::vector<report::Series> curves;
  for (const std::string& site : workspace.sites)
    curves.push_back(CurveOf(rounds, site, Json::json_pointer("/sites/" + site + "/metrics/" + metric)));
  return curves;
}

double BytesUp(const std::vector<Json>& rounds, const std::string& site) {
  double bytes = 0;
  for (const Json& round : rounds)
    if (const Json::json_pointer at("/sites/" + site + "/bytes"); round.contains(at)) bytes += round[at].get<double>();
  return bytes;
}

}  // namespace

Status WriteReport(const DemoResult& result, const Workspace& workspace, const FaultPlan& faults) {
  ASSIGN_OR_RETURN(const std::vector<Json> rounds, ReadLines(result.metrics));
  ASSIGN_OR_RETURN(const std::string picture, ReadFile(result.montage));
  report::HtmlPage page(HospitalsInWords(workspace.sites.size()) + ", one U-Net");
  page.Paragraph(Concat(workspace.dataset, ", ", workspace.rounds, " rounds of ", workspace.iterations,
                        " steps at each hospital, ", Fixed(result.seconds, 0),
                        " s in all. Weights travelled over mutual TLS 1.3; images and labels stayed in each hospital's "
                        "own folder."));
  if (workspace.summing == Summing::kSecure)
    page.Paragraph(
        "Updates were summed in secret: each hospital added masks to its own that cancel in the sum of all, so the "
        "coordinator saw words that look like noise, and the sum. Losses and Dice by round are therefore means of all "
        "hospitals; what each of them measured on its validation patches stayed there.");
  if (workspace.one_brain)
    page.Paragraph("All cases were cut from one brain: this shows the machinery and is no clinical result.");
  page.Heading("Held-out Dice of the final model");
  page.Paragraph("Mean over foreground classes, on cases that no hospital trained on.");
  std::vector<report::TableRow> rows;
  for (const auto& [site, dice] : result.dice)
    rows.push_back({site, Fixed(dice, 3), FormatBytes(BytesUp(rounds, site))});
  rows.push_back({"mean", Fixed(result.mean_dice, 3)});
  page.Table({"hospital", "Dice", "sent in all"}, rows);

  std::vector<report::Mark> marks;
  for (const Fault& fault : faults.happened())
    marks.push_back({static_cast<double>(fault.round + 1),
                     fault.victim + (fault.after == Fault::After::kGone ? " vanished" : " killed")});
  page.Heading("By round");
  page.Chart({.title = "Pseudo Dice on validation patches", .x_label = "round", .y_label = "Dice", .marks = marks},
             Curves(rounds, workspace, "dice"));
  page.Chart({.title = "Training loss (cross entropy - Dice)", .x_label = "round", .y_label = "loss", .marks = marks},
             Curves(rounds, workspace, "loss"));
  if (!marks.empty())
    page.Paragraph(
        "At the marked rounds a process was killed with SIGKILL; what was killed was started again. Nothing was lost: "
        "the coordinator "
        "goes on from its journal, a client finds its finished work on its disk and does the unfinished again. A "
        "hospital that vanished did not come back: the round and those after it went on without it.");
  page.Heading("Image, truth, prediction");
  page.Picture(AsBytes(picture), "Held-out cases of each hospital: image, true labels, prediction of the final model");
  page.Heading("Files");
  page.Paragraph(Concat("weights  ", result.model.string(), "\ndigest of the weights  ", result.digest, "\nmetrics  ",
                        result.metrics.string(), "\njob  ", workspace.job_file().string()));
  return WriteFileAtomic(result.report, std::string_view(page.Finish()));
}

}  // namespace consilium::demo
