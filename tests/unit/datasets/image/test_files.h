// NIfTI and PNG files made byte by byte, independently of the code under test, so that tests can lie in any field.
#pragma once

#include <zlib.h>

#include <array>
#include <bit>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "comm/base/bytes.h"
#include "comm/base/file.h"

namespace consilium::datasets {

// Offsets from nifti1.h.
enum NiftiOffset : std::size_t {
  kSizeofHdr = 0,
  kDim = 40,
  kDatatype = 70,
  kBitpix = 72,
  kPixdim = 76,
  kVoxOffset = 108,
  kSclSlope = 112,
  kSclInter = 116,
  kXyztUnits = 123,
  kQformCode = 252,
  kSformCode = 254,
  kQuatern = 256,
  kQoffset = 268,
  kSrow = 280,
  kMagic = 344,
};

template <typename T>
void PutAt(Bytes* bytes, std::size_t offset, T value) {
  std::memcpy(bytes->data() + offset, &value, sizeof value);
}

// 348 header bytes and 4 of no extensions: float32, x * y * z, spacing 1 mm.
inline Bytes NiftiHeaderBytes(short x, short y, short z) {
  Bytes bytes(352, 0);
  PutAt<int>(&bytes, kSizeofHdr, 348);
  const std::array<short, 8> dim{3, x, y, z, 1, 1, 1, 1};
  PutAt(&bytes, kDim, dim);
  PutAt<short>(&bytes, kDatatype, 16);
  PutAt<short>(&bytes, kBitpix, 32);
  PutAt(&bytes, kPixdim, std::array<float, 8>{1, 1, 1, 1, 1, 1, 1, 1});
  PutAt<float>(&bytes, kVoxOffset, 352);
  PutAt<char>(&bytes, kXyztUnits, 2);
  std::memcpy(bytes.data() + kMagic, "n+1", 4);
  return bytes;
}

template <typename T>
void AppendVoxels(Bytes* bytes, const std::vector<T>& values) {
  const auto* raw = reinterpret_cast<const std::uint8_t*>(values.data());
  bytes->insert(bytes->end(), raw, raw + values.size() * sizeof(T));
}

inline Bytes Gzip(const Bytes& content) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  Bytes out(deflateBound(&stream, content.size()) + 64);
  stream.next_in = const_cast<Bytef*>(content.data());
  stream.avail_in = static_cast<uInt>(content.size());
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

struct PngFile {
  std::uint32_t width = 1, height = 1;
  std::uint8_t bits = 8, color = 0;  // 0 gray, 2 colour, 3 palette, 4 gray + alpha, 6 colour + alpha
  Bytes palette;                     // red, green, blue, ...
  Bytes rows;                        // each row: filter byte 0, then its packed pixels
};

inline void AppendPngChunk(Bytes* png, const char* kind, const Bytes& body) {
  const auto put = [&](std::uint32_t value) {
    for (const int shift : {24, 16, 8, 0}) png->push_back(static_cast<std::uint8_t>(value >> shift));
  };
  put(static_cast<std::uint32_t>(body.size()));
  const std::size_t begin = png->size();
  png->insert(png->end(), kind, kind + 4);
  png->insert(png->end(), body.begin(), body.end());
  put(static_cast<std::uint32_t>(crc32(0, png->data() + begin, static_cast<uInt>(png->size() - begin))));
}

inline Bytes PngBytes(const PngFile& file) {
  Bytes png{0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  Bytes header;
  for (const std::uint32_t value : {file.width, file.height})
    for (const int shift : {24, 16, 8, 0}) header.push_back(static_cast<std::uint8_t>(value >> shift));
  header.insert(header.end(), {file.bits, file.color, 0, 0, 0});
  AppendPngChunk(&png, "IHDR", header);
  if (!file.palette.empty()) AppendPngChunk(&png, "PLTE", file.palette);
  Bytes packed(compressBound(file.rows.size()));
  uLongf size = packed.size();
  compress(packed.data(), &size, file.rows.data(), file.rows.size());
  packed.resize(size);
  AppendPngChunk(&png, "IDAT", packed);
  AppendPngChunk(&png, "IEND", {});
  return png;
}

// Without the fsync of WriteFileAtomic(), and onto a new file (ext4 syncs one that is truncated): tests write thousands
// of these.
inline std::filesystem::path WriteBytes(const std::filesystem::path& path, const Bytes& bytes) {
  std::filesystem::remove(path);
  std::ofstream out(path, std::ios::binary);
  out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  out.close();
  CONSILIUM_CHECK(out.good(), path);
  return path;
}

}  // namespace consilium::datasets
