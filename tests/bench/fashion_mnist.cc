#include "tests/bench/fashion_mnist.h"

#include <vector>

#include "datasets/image/gzip.h"

namespace consilium::trainer {
namespace {

constexpr std::int64_t kEdge = 28;

std::int64_t BigEndian(const std::uint8_t* at) {
  return std::int64_t{at[0]} << 24 | std::int64_t{at[1]} << 16 | std::int64_t{at[2]} << 8 | at[3];
}

// The first `count` elements, of `bytes_each` each, of an IDX file of bytes with `axes` axes: 0 0 8 axes, then the
// sizes, then the data.
StatusOr<std::vector<std::uint8_t>> ReadIdx(const std::filesystem::path& path, int axes, std::int64_t count,
                                            std::int64_t bytes_each) {
  ASSIGN_OR_RETURN(datasets::GzipReader reader, datasets::GzipReader::Open(path));
  std::vector<std::uint8_t> header(static_cast<std::size_t>(4 + 4 * axes));
  RETURN_IF_ERROR(reader.Read(header));
  if (header[2] != 8 || header[3] != axes)
    return InvalidArgument(path.string(), " is not an IDX file of bytes with ", axes, " axes");
  if (BigEndian(&header[4]) < count)
    return InvalidArgument(path.string(), " holds ", BigEndian(&header[4]), " images, wanted are ", count);
  std::vector<std::uint8_t> data(static_cast<std::size_t>(count * bytes_each));
  RETURN_IF_ERROR(reader.Read(data));
  return data;
}

}  // namespace

StatusOr<Images> ReadFashionMnist(const std::filesystem::path& folder, const std::string& part, std::int64_t count) {
  ASSIGN_OR_RETURN(std::vector<std::uint8_t> pixels,
                   ReadIdx(folder / (part + "-images-idx3-ubyte.gz"), /*axes=*/3, count, kEdge * kEdge));
  ASSIGN_OR_RETURN(std::vector<std::uint8_t> labels,
                   ReadIdx(folder / (part + "-labels-idx1-ubyte.gz"), /*axes=*/1, count, /*bytes_each=*/1));
  Images images;
  images.pixels = torch::from_blob(pixels.data(), {count, 1, kEdge, kEdge}, torch::kUInt8).to(torch::kFloat32);
  images.pixels = (images.pixels / 255 - 0.3) / 0.35;  // fixed numbers: those of the data would have to be paid for
  images.labels = torch::from_blob(labels.data(), {count}, torch::kUInt8).to(torch::kInt64);
  return images;
}

}  // namespace consilium::trainer
