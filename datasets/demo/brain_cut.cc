#include "datasets/demo/brain_cut.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <functional>
#include <span>
#include <utility>

#include "comm/base/rng.h"

namespace consilium::datasets {
namespace {

constexpr std::int16_t kLastCerebral = 90, kLastAal = 116;

struct Box {
  Shape3 begin, end;  // half-open
};

// Around every voxel whose label is at least `lowest`.
Box BoundingBox(const LabelMap& classes, std::int16_t lowest) {
  Box box = {.begin = classes.shape, .end = {0, 0, 0}};
  std::size_t at = 0;
  Shape3 voxel;
  for (voxel[0] = 0; voxel[0] < classes.shape[0]; ++voxel[0])
    for (voxel[1] = 0; voxel[1] < classes.shape[1]; ++voxel[1])
      for (voxel[2] = 0; voxel[2] < classes.shape[2]; ++voxel[2], ++at)
        if (classes.labels[at] >= lowest)
          for (int axis = 0; axis < 3; ++axis) {
            box.begin[axis] = std::min(box.begin[axis], voxel[axis]);
            box.end[axis] = std::max(box.end[axis], voxel[axis] + 1);
          }
  return box;
}

// What is worth cutting: the labelled part of the neighbourhood of class 2.
Box RegionOf(const LabelMap& classes, std::int64_t margin) {
  const Box all = BoundingBox(classes, 1), second = BoundingBox(classes, 2);
  Box region;
  for (int axis = 0; axis < 3; ++axis) {
    region.begin[axis] = std::max(all.begin[axis], second.begin[axis] - margin);
    region.end[axis] = std::min(all.end[axis], second.end[axis] + margin);
  }
  return region;
}

// Edges of [begin, end) cut into the number of equal parts that comes nearest to `part`.
std::vector<std::int64_t> Edges(std::int64_t begin, std::int64_t end, std::int64_t part) {
  const std::int64_t count =
      std::max<std::int64_t>(1, std::lround(static_cast<double>(end - begin) / static_cast<double>(part)));
  std::vector<std::int64_t> edges;
  for (std::int64_t i = 0; i <= count; ++i) edges.push_back(begin + (end - begin) * i / count);
  return edges;
}

// Voxels of each class in a block: [background, class 1, class 2].
std::array<std::int64_t, 3> CountClasses(const LabelMap& classes, const Shape3& begin, const Shape3& end) {
  std::array<std::int64_t, 3> counts{};
  for (std::int64_t z = begin[0]; z < end[0]; ++z)
    for (std::int64_t y = begin[1]; y < end[1]; ++y)
      for (std::int64_t x = begin[2]; x < end[2]; ++x)
        ++counts[static_cast<std::size_t>(classes.labels[(z * classes.shape[1] + y) * classes.shape[2] + x])];
  return counts;
}

struct Candidate {
  BrainBlock block;
  std::array<std::int64_t, 3> voxels;  // of each class
};

// Named by its first voxel, padded so that names sort by place.
std::string BlockId(SitePart part, const Shape3& begin) {
  char place[64];
  std::snprintf(place, sizeof place, "z%03lld_y%03lld_x%03lld", static_cast<long long>(begin[0]),
                static_cast<long long>(begin[1]), static_cast<long long>(begin[2]));
  return Concat(part == SitePart::kTraining ? "left_" : "right_", place);
}

// Cuts `side` into equal blocks; those with too little foreground are left out.
std::vector<Candidate> CutSide(const LabelMap& classes, const Box& side, SitePart part, const CutOptions& options) {
  std::array<std::vector<std::int64_t>, 3> edges;
  for (int axis = 0; axis < 3; ++axis) edges[axis] = Edges(side.begin[axis], side.end[axis], options.block[axis]);
  std::vector<Candidate> candidates;
  for (std::size_t z = 0; z + 1 < edges[0].size(); ++z)
    for (std::size_t y = 0; y + 1 < edges[1].size(); ++y)
      for (std::size_t x = 0; x + 1 < edges[2].size(); ++x) {
        BrainBlock block = {.id = BlockId(part, {edges[0][z], edges[1][y], edges[2][x]}),
                            .begin = {edges[0][z], edges[1][y], edges[2][x]},
                            .end = {edges[0][z + 1], edges[1][y + 1], edges[2][x + 1]},
                            .part = part,
                            .site = 0};
        const auto voxels = CountClasses(classes, block.begin, block.end);
        const double foreground = static_cast<double>(voxels[1] + voxels[2]);
        if (foreground >= options.foreground_share_min * (foreground + static_cast<double>(voxels[0])))
          candidates.push_back({std::move(block), voxels});
      }
  return candidates;
}

// Gives every site as many blocks (one or two may be left over), rich and poor in class 2 alike.
StatusOr<std::vector<BrainBlock>> Deal(std::vector<Candidate> candidates, std::int64_t blocks_max, std::uint64_t stream,
                                       const CutOptions& options) {
  // A seeded order, then those with most of class 2 first; dealt in turns, every site gets its share of them.
  Rng(options.seed, stream).Shuffle(std::span(candidates));
  std::ranges::stable_sort(candidates, std::greater(), [](const Candidate& one) { return one.voxels[2]; });
  const std::size_t turns = candidates.size() / options.sites;
  const std::size_t wanted = std::min(turns, static_cast<std::size_t>(std::max<std::int64_t>(blocks_max, 1)));
  std::vector<std::array<std::int64_t, 3>> of_site(options.sites);
  std::vector<BrainBlock> blocks;
  for (std::size_t turn = 0; turn < wanted; ++turn)
    for (std::size_t site = 0; site < options.sites; ++site) {
      // When fewer are wanted, every k-th turn.
      Candidate& chosen = candidates[turn * turns / wanted * options.sites + site];
      for (std::size_t label = 0; label < 3; ++label) of_site[site][label] += chosen.voxels[label];
      chosen.block.site = site;
      blocks.push_back(std::move(chosen.block));
    }
  for (const auto& voxels : of_site)
    if (voxels[1] == 0 || voxels[2] == 0)
      return InvalidArgument("cutting a hemisphere gives ", candidates.size(), " blocks, of which each of ",
                             options.sites, " sites takes ", wanted,
                             "; one would lack a class: choose smaller blocks or more of them");
  return blocks;
}

}  // namespace

StatusOr<LabelMap> MergeAalRegions(const LabelMap& aal) {
  LabelMap merged = aal;
  for (std::int16_t& label : merged.labels) {
    if (label < 0 || label > kLastAal)
      return InvalidArgument("label ", label, " is not one of AAL's regions, 0..", kLastAal);
    label = static_cast<std::int16_t>(label == 0 ? 0 : label <= kLastCerebral ? 1 : 2);
  }
  return merged;
}

StatusOr<std::vector<BrainBlock>> CutBrain(const LabelMap& classes, const CutOptions& options) {
  const Box region = RegionOf(classes, options.margin);
  const Affine affine = AffineOf(classes.geometry);
  if (affine[0][0] == 0) return InvalidArgument("the x axis of the label map does not run from left to right");
  const auto midline = static_cast<std::int64_t>(std::lround(-affine[0][3] / affine[0][0]));
  const std::int64_t low_end = midline - options.midline_gap / 2, high_begin = low_end + options.midline_gap;
  if (low_end <= region.begin[2] || high_begin >= region.end[2])
    return InvalidArgument("the labels do not reach across the midline, voxel ", midline, " along x");

  std::vector<BrainBlock> blocks;
  for (const SitePart part : {SitePart::kTraining, SitePart::kHeldOut}) {
    // The left hemisphere is trained on; world x runs from left to right.
    const bool low_side = (part == SitePart::kTraining) == (affine[0][0] > 0);
    Box side = region;
    (low_side ? side.end : side.begin)[2] = low_side ? low_end : high_begin;
    const std::int64_t blocks_max =
        part == SitePart::kTraining ? options.training_blocks_max : options.heldout_blocks_max;
    ASSIGN_OR_RETURN(const std::vector<BrainBlock> dealt, Deal(CutSide(classes, side, part, options), blocks_max,
                                                               static_cast<std::uint64_t>(part), options));
    blocks.insert(blocks.end(), dealt.begin(), dealt.end());
  }
  return blocks;
}

}  // namespace consilium::datasets
