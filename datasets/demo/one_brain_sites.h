// Hospitals made from one brain, for machines without a data set: the Debian package mricron-data has a real T1 head
// (ch2, 1 mm, a single person scanned 27 times and averaged: Holmes et al., J. Comput. Assist. Tomogr. 22, 1998) and
// anatomical labels on the same grid (AAL: Tzourio-Mazoyer et al., NeuroImage 15, 2002).
//
// The brain is cut into blocks.  Those of the left hemisphere are for training, those of the right are held out, with a
// gap at the midline; blocks do not overlap, so no voxel is in two cases, let alone in training and evaluation.  The
// scanners' blur is applied after the cut, so that nothing leaks across a block's border.  Still one brain: its halves
// resemble each other far more than two people do, and results say nothing about other people.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "comm/base/status.h"
#include "datasets/demo/site_folders.h"
#include "datasets/image/volume.h"

namespace consilium::datasets {

inline constexpr char kOneBrainDataset[] = "Dataset901_OneBrain";

// AAL's regions 1..90 (the cerebrum: gyri with the white matter just below them, and nuclei; not the deep white matter)
// become 1, 91..116 (cerebellum, vermis) become 2; the rest is 0.  Other values are kInvalidArgument.
StatusOr<LabelMap> MergeAalRegions(const LabelMap& aal);

struct BrainBlock {
  std::string id;  // "brain_left_021": block z 0, y 2, x 1
  Shape3 begin;    // voxels, half-open
  Shape3 end;
  SitePart part;
  std::size_t site;
};

struct CutOptions {
  Shape3 block = {37, 45, 36};            // voxels aimed at; blocks of a hemisphere are made equal to within one voxel
  std::int64_t midline_gap = 4;           // voxels
  double foreground_share_min = 0.08;     // blocks with less are left out
  std::int64_t training_blocks_max = 40;  // at each site
  std::int64_t heldout_blocks_max = 8;    // at each site
  std::size_t sites = 3;
  std::uint64_t seed = 1;
};

// `classes` as from MergeAalRegions(), the x axis along left-right.  Every site gets blocks of both classes in both
// parts: those that hold most of class 2 are dealt first.  kInvalidArgument when the volume is too small for that.
StatusOr<std::vector<BrainBlock>> CutBrain(const LabelMap& classes, const CutOptions& options);

struct OneBrainOptions {
  std::filesystem::path templates = "/usr/share/mricron/templates";  // ch2.nii.gz, aal.nii.gz
  std::filesystem::path output;
  CutOptions cut;
  std::vector<std::string> site_names = DefaultSiteNames();
  std::vector<ScannerLook> looks = DefaultScannerLooks();  // one a site
};

// kNotFound names the Debian package that is missing.
StatusOr<DemoSites> MakeOneBrainSites(const OneBrainOptions& options);

}  // namespace consilium::datasets
