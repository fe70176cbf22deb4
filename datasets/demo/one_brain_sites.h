// Hospitals made from one brain, for machines without a data set: the Debian package mricron-data has a real T1 MRI
// (ch2, 1 mm, a single person scanned 27 times and averaged: Holmes et al., J. Comput. Assist. Tomogr. 22, 1998) and
// anatomical labels on the same grid (AAL: Tzourio-Mazoyer et al., NeuroImage 15, 2002).  Used is ch2bet, the same head
// without the skull: with it, training needs about half the patches to the same loss.
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
#include "datasets/demo/brain_cut.h"
#include "datasets/demo/site_folders.h"

namespace consilium::datasets {

inline constexpr char kOneBrainDataset[] = "Dataset901_OneBrain";

struct OneBrainOptions {
  std::filesystem::path templates = "/usr/share/mricron/templates";  // ch2bet.nii.gz, aal.nii.gz
  std::filesystem::path output;
  CutOptions cut;
  std::vector<std::string> site_names = DefaultSiteNames();
  std::vector<ScannerLook> looks = DefaultScannerLooks();  // one a site
};

// kNotFound names the Debian package that is missing.
StatusOr<DemoSites> MakeOneBrainSites(const OneBrainOptions& options);

}  // namespace consilium::datasets
