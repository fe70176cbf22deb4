#include "trainer/inference/sliding_window.h"

#include <algorithm>
#include <array>

#include "datasets/resample/resampled_argmax.h"
#include "trainer/inference/tiles.h"
#include "trainer/models/torch_guard.h"

namespace consilium::trainer {
namespace {

using torch::Tensor;
using Corner = std::array<std::int64_t, 3>;

// A (y, x) patch is a (1, y, x) patch whose tiles lose their z axis on the way into the network.
struct Window {
  Corner patch;
  bool is_slice;
};

Window WindowOf(const std::vector<std::int64_t>& patch) {
  CONSILIUM_CHECK(patch.size() == 2 || patch.size() == 3, "a patch of ", patch.size(), " axes");
  return patch.size() == 2 ? Window{{1, patch[0], patch[1]}, true} : Window{{patch[0], patch[1], patch[2]}, false};
}

std::vector<Corner> TileCorners(const Corner& size, const Window& window, double step_fraction) {
  std::array<std::vector<std::int64_t>, 3> starts;
  for (std::size_t axis = 0; axis < 3; ++axis)
    // Slices do not overlap: each is one tile.
    starts[axis] = TileStarts(size[axis], window.patch[axis], axis == 0 && window.is_slice ? 1.0 : step_fraction);
  std::vector<Corner> corners;
  for (const std::int64_t z : starts[0])
    for (const std::int64_t y : starts[1])
      for (const std::int64_t x : starts[2]) corners.push_back({z, y, x});
  return corners;
}

// The voxels of one tile in a tensor whose last three axes are z, y, x.
Tensor TileOf(const Tensor& volume, const Corner& corner, const Corner& patch) {
  Tensor tile = volume;
  for (std::int64_t axis = 0; axis < 3; ++axis)
    tile = tile.narrow(axis - 3, corner[static_cast<std::size_t>(axis)], patch[static_cast<std::size_t>(axis)]);
  return tile;
}

// tiles [B, C, patch] -> logits [B, K, patch]: the mean over all flips of the chosen axes.
Tensor PredictMirrored(const Tensor& tiles, const TilePredictor& predict, const std::vector<std::int64_t>& axes) {
  Tensor sum = predict(tiles).to(torch::kFloat32);
  const unsigned combinations = 1U << axes.size();
  for (unsigned chosen = 1; chosen < combinations; ++chosen) {
    std::vector<std::int64_t> dimensions;
    for (std::size_t i = 0; i < axes.size(); ++i)
      if (chosen >> i & 1U) dimensions.push_back(axes[i] + 2);
    sum = sum + predict(tiles.flip(dimensions)).to(torch::kFloat32).flip(dimensions);
  }
  return sum / static_cast<double>(combinations);
}

struct Padding {
  Corner below, size;  // voxels added in front; edges afterwards
};

Padding PadToPatch(const datasets::Shape3& shape, const Corner& patch) {
  Padding padding;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const std::int64_t missing = std::max<std::int64_t>(patch[axis] - shape[axis], 0);
    padding.below[axis] = missing / 2;
    padding.size[axis] = shape[axis] + missing;
  }
  return padding;
}

// [C, padded] on `device`.
Tensor PaddedImage(const datasets::PreparedCase& prepared, const Padding& padding, torch::Device device) {
  const datasets::Shape3& shape = prepared.shape;
  const Tensor image = torch::from_blob(const_cast<float*>(prepared.image.data()),  // only read
                                        {prepared.channels, shape[0], shape[1], shape[2]}, torch::kFloat32);
  Tensor padded = torch::zeros({prepared.channels, padding.size[0], padding.size[1], padding.size[2]}, torch::kFloat32);
  TileOf(padded, padding.below, shape).copy_(image);
  return padded.to(device);
}

Tensor Accumulate(const Tensor& image, const Window& window, const TilePredictor& predict,
                  const SlidingWindowOptions& options) {
  const Corner size = {image.size(1), image.size(2), image.size(3)};
  const std::vector<Corner> corners = TileCorners(size, window, options.step_fraction);
  const Tensor weights = torch::tensor(GaussianWeights(window.patch))
                             .view({window.patch[0], window.patch[1], window.patch[2]})
                             .to(options.device);
  const Tensor weight_sum = torch::zeros({size[0], size[1], size[2]}, weights.options());
  Tensor logit_sum;  // [K, padded]
  const auto batch = static_cast<std::size_t>(std::max<std::int64_t>(options.tiles_at_once, 1));
  for (std::size_t first = 0; first < corners.size(); first += batch) {
    const std::size_t last = std::min(first + batch, corners.size());
    std::vector<Tensor> tiles;
    for (std::size_t i = first; i < last; ++i) tiles.push_back(TileOf(image, corners[i], window.patch));
    Tensor stacked = torch::stack(tiles);  // [B, C, z, y, x]
    if (window.is_slice) stacked = stacked.squeeze(2);
    Tensor logits = PredictMirrored(stacked, predict, options.mirror_axes);
    if (window.is_slice) logits = logits.unsqueeze(2);
    if (!logit_sum.defined()) logit_sum = torch::zeros({logits.size(1), size[0], size[1], size[2]}, weights.options());
    for (std::size_t i = first; i < last; ++i) {
      TileOf(logit_sum, corners[i], window.patch).add_(logits[static_cast<std::int64_t>(i - first)] * weights);
      TileOf(weight_sum, corners[i], window.patch).add_(weights);
    }
  }
  return logit_sum.div_(weight_sum);
}

}  // namespace

StatusOr<Tensor> SlidingWindowLogits(const datasets::PreparedCase& prepared, const TilePredictor& predict,
                                     const SlidingWindowOptions& options) {
  const Window window = WindowOf(options.patch_size);
  return GuardTorch(Concat("predicting case ", prepared.id), [&]() -> StatusOr<Tensor> {
    const torch::NoGradGuard no_grad;
    const Padding padding = PadToPatch(prepared.shape, window.patch);
    const Tensor logits = Accumulate(PaddedImage(prepared, padding, options.device), window, predict, options);
    if (!torch::isfinite(logits).all().item<bool>())
      return Failed("predicting case ", prepared.id, ": the network's output is not finite; the training diverged");
    return TileOf(logits, padding.below, prepared.shape).contiguous();
  });
}

StatusOr<std::vector<std::int16_t>> LabelsFromLogits(const Tensor& logits, const datasets::ResampleGrid& grid) {
  return GuardTorch("choosing labels", [&] {
    if (grid.from != grid.to) {
      const Tensor values = logits.to(torch::kCPU).contiguous();
      return datasets::ResampledArgmax({values.data_ptr<float>(), static_cast<std::size_t>(values.numel())}, grid,
                                       static_cast<unsigned>(at::get_num_threads()));
    }
    const Tensor labels = logits.argmax(0).to(torch::kInt16).to(torch::kCPU).contiguous();
    const std::int16_t* begin = labels.data_ptr<std::int16_t>();
    return std::vector<std::int16_t>(begin, begin + labels.numel());
  });
}

}  // namespace consilium::trainer
