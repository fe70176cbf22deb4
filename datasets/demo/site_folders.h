// The folders of a demonstration: one per hospital, each a raw nnU-Net data set of its own plus held-out cases that
// nobody trains on.
//
//   OUTPUT/sites.json                       what was done, and where everything lies (paths relative to OUTPUT)
//   OUTPUT/SITE/DatasetNNN_Name/{dataset.json,imagesTr,labelsTr}
//   OUTPUT/SITE/heldout/{imagesTs,labelsTs}
//
// OUTPUT appears whole or not at all: it is built next to itself and renamed.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "comm/base/json.h"
#include "comm/base/status.h"
#include "datasets/demo/scanner_look.h"
#include "datasets/image/volume.h"

namespace consilium::datasets {

enum class SitePart { kTraining, kHeldOut };

struct DemoSite {
  std::string name;
  ScannerLook look;
  std::filesystem::path dataset;         // SITE/DatasetNNN_Name
  std::filesystem::path heldout_images;  // SITE/heldout/imagesTs
  std::filesystem::path heldout_labels;
  std::vector<std::string> training_cases;
  std::vector<std::string> heldout_cases;
};

struct DemoSites {
  std::string dataset;                             // DatasetNNN_Name, the same at every site
  std::string note;                                // what the data are and what they are not, for people
  std::vector<std::int64_t> suggested_patch_size;  // (z, y, x): median case, rounded up to multiples of 8
  std::vector<DemoSite> sites;
};

// The names of the first `sites` hospitals of the demonstration, at most kDemoSitesMax.
std::vector<std::string> DefaultSiteNames(std::size_t sites = 3);

// As in sites.json; paths as they stand in `sites`.
Json ToJson(const DemoSites& sites);

// Strand-bound.  Destroyed without Finish(): nothing remains.
class SiteFolderWriter {
 public:
  struct Options {
    std::filesystem::path output;  // absent or empty, else kAlreadyExists
    std::string dataset;           // DatasetNNN_Name
    std::string note;
    Json description;  // dataset.json of every site; numTraining and file_ending are filled in
    Json method;       // goes into sites.json: seed, how cases were assigned, ...
  };
  // `looks` and `names` go together, one a site.
  static StatusOr<SiteFolderWriter> Create(Options options, const std::vector<std::string>& names,
                                           const std::vector<ScannerLook>& looks);
  SiteFolderWriter(SiteFolderWriter&& other) noexcept;
  SiteFolderWriter& operator=(SiteFolderWriter&&) = delete;
  ~SiteFolderWriter();

  // One-channel images.
  Status Add(std::size_t site, SitePart part, const std::string& id, const Image& image, const LabelMap& labels);
  // Paths in the result are absolute if the output's is.
  StatusOr<DemoSites> Finish();

 private:
  SiteFolderWriter(Options options, std::filesystem::path partial);

  Options options_;
  std::filesystem::path partial_;  // empty after a move or Finish()
  DemoSites made_;                 // paths relative to the output
  std::vector<Shape3> shapes_;
};

}  // namespace consilium::datasets
