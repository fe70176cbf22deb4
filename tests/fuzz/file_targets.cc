// Files that a peer, a person or a disk may have made: read through their paths, as the product does.
#include <unistd.h>

#include <fstream>

#include "comm/base/file.h"
#include "comm/tensor/safetensors.h"
#include "comm/wire/frame.h"
#include "datasets/image/nifti_file.h"
#include "datasets/image/png_file.h"
#include "target.h"
#include "tests/testing/run_program.h"

namespace consilium::fuzz {
namespace {

// A file with these bytes, until the next one of that name.
std::filesystem::path FileWith(ByteSpan input, const char* name) {
  static const testing::ScratchFolder scratch;
  const std::filesystem::path path = scratch / name;
  std::ofstream(path, std::ios::binary) << AsText(input);  // not synced: a fuzzer writes thousands a second
  return path;
}

Bytes ContentsOf(const std::filesystem::path& path) {
  const std::string text = ReadFile(path).value();
  return Bytes(text.begin(), text.end());
}

void ReadTensors(ByteSpan input) {
  const StatusOr<tensor::ParameterVector> parameters = tensor::ReadParameters(FileWith(input, "model.safetensors"));
  if (!parameters.ok()) Require(!parameters.status().message().empty(), "an error says what is wrong");
}

std::vector<Bytes> SomeTensors() {
  const std::string header = R"({"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                             R"("w":{"dtype":"F32","shape":[2,3],"data_offsets":[8,32]}})";
  ByteWriter writer;
  writer.Put(std::uint64_t{header.size()});
  Bytes file = std::move(writer).Take();
  file.insert(file.end(), header.begin(), header.end());
  file.resize(file.size() + 32);
  return {file};
}

std::vector<Bytes> SomeImages(const char* name) {
  datasets::Image image;
  image.channels = 1;
  image.shape = {3, 4, 5};
  image.voxels.assign(60, 1.5F);
  image.geometry.spacing = {1, 1, 1};
  const std::filesystem::path path = FileWith({}, name);
  Require(datasets::WriteNiftiImage(path, image).ok(), "an image can be written");
  return {ContentsOf(path)};
}

void ReadImage(ByteSpan input, const char* name) {
  const StatusOr<datasets::Image> image = datasets::ReadNiftiImage(FileWith(input, name));
  if (!image.ok()) return Require(!image.status().message().empty(), "an error says what is wrong");
}

void ReadFrames(ByteSpan input) {
  int ends[2];
  Require(::pipe(ends) == 0, "a pipe");
  input = input.first(std::min<std::size_t>(input.size(), 4096));  // what a pipe holds without a reader
  Require(::write(ends[1], input.data(), input.size()) == static_cast<ssize_t>(input.size()), "a write");
  ::close(ends[1]);
  std::size_t left = input.size();
  for (;;) {
    const StatusOr<std::optional<Bytes>> frame = wire::ReadFrame(ends[0], 1 << 16);
    if (!frame.ok() || !*frame) break;
    Require((*frame)->size() + 4 <= left, "a frame has no more bytes than were sent");
    left -= (*frame)->size() + 4;
  }
  ::close(ends[0]);
}

constexpr Target kTargets[] = {
    {"safetensors_file", ReadTensors, SomeTensors, 500},
    {"nifti_file", [](ByteSpan input) { ReadImage(input, "image.nii"); }, [] { return SomeImages("image.nii"); }, 500},
    {"nifti_gz_file", [](ByteSpan input) { ReadImage(input, "image.nii.gz"); },
     [] { return SomeImages("image.nii.gz"); }, 500},
    {"png_file", [](ByteSpan input) { (void)datasets::ReadPng(FileWith(input, "image.png")); },
     [] {
       const std::filesystem::path path = FileWith({}, "image.png");
       Require(datasets::WritePng(path, {4, 3, 1, 8, std::vector<std::uint16_t>(12, 7)}).ok(), "a PNG can be written");
       return std::vector<Bytes>{ContentsOf(path)};
     },
     500},
    {"worker_frames", ReadFrames,
     [] {
       return std::vector<Bytes>{{3, 0, 0, 0, 'a', 'b', 'c', 0, 0, 0, 0}};
     }},
};

}  // namespace

std::span<const Target> FileTargets() { return kTargets; }

}  // namespace consilium::fuzz
