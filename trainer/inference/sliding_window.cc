#include "trainer/inference/sliding_window.h"

#include <algorithm>
#include <array>
#include <optional>

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

// Weighted sums of logits for some slices of the padded case; those that no later tile touches are let go.
class LogitBuffer {
 public:
  LogitBuffer(const Corner& size, const Window& window, std::int64_t capacity, torch::Device device)
      : size_(size), patch_(window.patch), capacity_(capacity), weights_(WeightsOf(window.patch).to(device)) {}

  std::int64_t begin() const { return begin_; }
  bool Holds(std::int64_t end) const { return end <= begin_ + capacity_; }
  void Add(const Corner& corner, const Tensor& logits) {
    if (!sums_.defined()) {
      sums_ = torch::zeros({logits.size(0), capacity_, size_[1], size_[2]}, weights_.options());
      weight_sums_ = torch::zeros({capacity_, size_[1], size_[2]}, weights_.options());
    }
    const Corner here = {corner[0] - begin_, corner[1], corner[2]};
    TileOf(sums_, here, patch_).add_(logits * weights_);
    TileOf(weight_sums_, here, patch_).add_(weights_);
  }
  // [K, end - begin(), y, x]: the logits of the slices before `end`, which are forgotten.
  Tensor Release(std::int64_t end) {
    const std::int64_t count = end - begin_, rest = capacity_ - count;
    const Tensor released = sums_.narrow(1, 0, count) / weight_sums_.narrow(0, 0, count);
    const auto shift = [&](Tensor* sums, std::int64_t axis) {
      if (rest > 0) sums->narrow(axis, 0, rest).copy_(sums->narrow(axis, count, rest).clone());
      sums->narrow(axis, rest, count).zero_();
    };
    shift(&sums_, 1);
    shift(&weight_sums_, 0);
    begin_ = end;
    return released;
  }

 private:
  static Tensor WeightsOf(const Corner& patch) {
    return torch::tensor(GaussianWeights(patch)).view({patch[0], patch[1], patch[2]});
  }
  Corner size_, patch_;
  std::int64_t capacity_;
  std::int64_t begin_ = 0;
  Tensor weights_, sums_, weight_sums_;
};

// Slices that a batch of tiles touches, or more where that is little memory.
std::int64_t CapacityOf(const Corner& size, const Window& window, std::int64_t classes,
                        const SlidingWindowOptions& options) {
  const std::int64_t needed = window.patch[0] * (options.tiles_at_once + 1);
  const std::int64_t slice_bytes = (classes + 1) * size[1] * size[2] * static_cast<std::int64_t>(sizeof(float));
  return std::min(std::max(needed, options.buffer_bytes / slice_bytes), size[0]);
}

// [B, C, z, y, x] -> [B, K, z, y, x].
Tensor LogitsOf(Tensor tiles, const Window& window, const TilePredictor& predict,
                const std::vector<std::int64_t>& mirror_axes) {
  if (!window.is_slice) return PredictMirrored(tiles, predict, mirror_axes);
  return PredictMirrored(tiles.squeeze(2), predict, mirror_axes).unsqueeze(2);
}

// Calls use(logits [K, n, y, x]) for the padded case's slices in order.
Status ForEachPaddedSlab(const Tensor& image, const Window& window, const TilePredictor& predict,
                         const SlidingWindowOptions& options, const std::function<Status(const Tensor&)>& use) {
  const Corner size = {image.size(1), image.size(2), image.size(3)};
  const std::vector<Corner> corners = TileCorners(size, window, options.step_fraction);
  const auto batch = static_cast<std::size_t>(std::max<std::int64_t>(options.tiles_at_once, 1));
  std::optional<LogitBuffer> buffer;
  for (std::size_t first = 0; first < corners.size(); first += batch) {
    const std::size_t last = std::min(first + batch, corners.size());
    std::vector<Tensor> tiles;
    for (std::size_t i = first; i < last; ++i) tiles.push_back(TileOf(image, corners[i], window.patch));
    const Tensor logits = LogitsOf(torch::stack(tiles), window, predict, options.mirror_axes);
    if (!buffer) buffer.emplace(size, window, CapacityOf(size, window, logits.size(1), options), options.device);
    // Corners are in the order of z, so nothing touches slices before this batch's any more.
    if (!buffer->Holds(corners[last - 1][0] + window.patch[0]))
      RETURN_IF_ERROR(use(buffer->Release(corners[first][0])));
    for (std::size_t i = first; i < last; ++i) buffer->Add(corners[i], logits[static_cast<std::int64_t>(i - first)]);
  }
  return use(buffer->Release(size[0]));
}

}  // namespace

Status ForEachLogitSlab(const datasets::PreparedCase& prepared, const TilePredictor& predict,
                        const SlidingWindowOptions& options, const UseSlab& use) {
  const Window window = WindowOf(options.patch_size);
  return GuardTorch(Concat("predicting case ", prepared.id), [&]() -> Status {
    const torch::NoGradGuard no_grad;
    const Padding padding = PadToPatch(prepared.shape, window.patch);
    const std::int64_t begin = padding.below[0], end = begin + prepared.shape[0];
    std::int64_t at = 0;  // of the padded case
    return ForEachPaddedSlab(PaddedImage(prepared, padding, options.device), window, predict, options,
                             [&](const Tensor& slab) -> Status {
                               const std::int64_t first = std::clamp(begin, at, at + slab.size(1)) - at;
                               const std::int64_t last = std::clamp(end, at, at + slab.size(1)) - at;
                               at += slab.size(1);
                               if (first == last) return Status();
                               const Tensor kept = TileOf(slab, {first, padding.below[1], padding.below[2]},
                                                          {last - first, prepared.shape[1], prepared.shape[2]})
                                                       .contiguous();
                               if (!torch::isfinite(kept).all().item<bool>())
                                 return Failed("predicting case ", prepared.id,
                                               ": the network's output is not finite; the training diverged");
                               return use(kept);
                             });
  });
}

StatusOr<std::vector<std::int16_t>> PredictLabels(const datasets::PreparedCase& prepared, const TilePredictor& predict,
                                                  const SlidingWindowOptions& options) {
  const datasets::ResampleGrid grid = datasets::GridToSource(prepared);
  const bool stays = grid.from == grid.to;
  std::optional<datasets::ResampledArgmax> resampled;
  std::vector<std::int16_t> labels;
  RETURN_IF_ERROR(ForEachLogitSlab(prepared, predict, options, [&](const Tensor& slab) {
    if (stays) {
      const Tensor largest = slab.argmax(0).to(torch::kInt16).to(torch::kCPU).contiguous();
      const auto* begin = largest.data_ptr<std::int16_t>();
      labels.insert(labels.end(), begin, begin + largest.numel());
      return Status();
    }
    if (!resampled) resampled.emplace(grid, slab.size(0), static_cast<unsigned>(at::get_num_threads()));
    const Tensor logits = slab.to(torch::kCPU).contiguous();
    resampled->Push({logits.data_ptr<float>(), static_cast<std::size_t>(logits.numel())}, logits.size(1));
    return Status();
  }));
  return stays ? std::move(labels) : std::move(*resampled).Finish();
}

}  // namespace consilium::trainer
