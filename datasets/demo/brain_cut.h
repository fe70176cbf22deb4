// Cuts a labelled brain into blocks for several sites: training on the left hemisphere, evaluation on the right.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "comm/base/status.h"
#include "datasets/demo/site_folders.h"
#include "datasets/image/volume.h"

namespace consilium::datasets {

// AAL's regions 1..90 (the cerebrum: gyri with the white matter just below them, and nuclei; not the deep white matter)
// become 1, 91..116 (cerebellum, vermis) become 2; the rest is 0.  Other values are kInvalidArgument.
StatusOr<LabelMap> MergeAalRegions(const LabelMap& aal);

struct BrainBlock {
  std::string id;  // "left_z010_y020_x017": half and first voxel
  Shape3 begin;    // voxels, half-open
  Shape3 end;
  SitePart part;
  std::size_t site;
};

struct CutOptions {
  // Voxels around class 2 that are cut as well; the rest of the brain is unused.
  std::int64_t margin = 40;
  // Voxels aimed at; the blocks of a hemisphere are made equal to within one voxel.  Thin axial slabs of a whole
  // hemisphere: what tells cerebrum from cerebellum is where they lie, and small cubes do not show that.
  Shape3 block = {8, 217, 181};
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

}  // namespace consilium::datasets
