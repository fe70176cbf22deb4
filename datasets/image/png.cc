#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <cstring>
#include <new>
#include <string>

#include "comm/base/file.h"
#include "datasets/image/png_file.h"

namespace consilium::datasets {
namespace {

constexpr std::size_t kFileBytesMax = std::size_t{1} << 30;
constexpr png_uint_32 kEdgeMax = 1 << 20;         // pixels
constexpr std::uint64_t kPixelsMax = 1ULL << 28;  // 1.6 GB as 16-bit colour
constexpr std::uint64_t kDeflateRatioMax = 1032;  // what announces more than this times the file's size is lying
constexpr std::size_t kChunkBytesMax = 8U << 20;  // a text or colour-profile chunk may not unpack to more

// libpng reports errors by longjmp.  All that owns memory lives in this struct, outside the frames that are jumped
// over.
struct Codec {
  ByteSpan input;
  Bytes output;
  bool is_out_of_memory = false;
  std::string error;
  png_structp png = nullptr;
  png_infop info = nullptr;
  std::vector<std::uint8_t> raw;  // [height, row bytes]
  std::vector<png_bytep> rows;
  PngPixels pixels;
};

[[noreturn]] void OnError(png_structp png, png_const_charp message) {
  static_cast<Codec*>(png_get_error_ptr(png))->error = message;
  png_longjmp(png, 1);
}

void OnWarning(png_structp, png_const_charp) {}

void OnRead(png_structp png, png_bytep out, std::size_t size) {
  auto* codec = static_cast<Codec*>(png_get_io_ptr(png));
  if (size > codec->input.size()) png_error(png, "the file is cut off");
  std::memcpy(out, codec->input.data(), size);
  codec->input = codec->input.subspan(size);
}

void OnWrite(png_structp png, png_bytep bytes, std::size_t size) {
  auto* codec = static_cast<Codec*>(png_get_io_ptr(png));
  try {
    codec->output.insert(codec->output.end(), bytes, bytes + size);
  } catch (const std::bad_alloc&) {
    codec->is_out_of_memory = true;
  }
  if (codec->is_out_of_memory) png_error(png, "out of memory");  // after the catch, which must end before the jump
}

void OnFlush(png_structp) {}

bool IsGrayPalette(png_structp png, png_infop info) {
  png_colorp palette = nullptr;
  int size = 0;
  if (png_get_PLTE(png, info, &palette, &size) == 0) return false;
  return std::all_of(palette, palette + size, [](const png_color& c) { return c.red == c.green && c.green == c.blue; });
}

// The size is believed only after this.  Returns the flaw, or null.
const char* FlawOfSize(png_structp png, png_infop info, std::size_t file_bytes) {
  const std::uint64_t pixels = std::uint64_t{png_get_image_width(png, info)} * png_get_image_height(png, info);
  if (pixels > kPixelsMax) return "it announces more pixels than are read (268435456)";
  const std::uint64_t stored_bits = pixels * png_get_channels(png, info) * png_get_bit_depth(png, info);
  if (stored_bits / 8 > file_bytes * kDeflateRatioMax)
    return "it announces more pixels than a file of its size can hold";
  return nullptr;
}

// False: codec->error says why.
bool Decode(Codec* codec) {
  const std::size_t file_bytes = codec->input.size();
  png_structp png = codec->png;
  if (setjmp(png_jmpbuf(png)) != 0) return false;
  png_set_read_fn(png, codec, &OnRead);
  png_set_user_limits(png, kEdgeMax, kEdgeMax);
  png_set_chunk_malloc_max(png, kChunkBytesMax);
  png_read_info(png, codec->info);
  if (const char* flaw = FlawOfSize(png, codec->info, file_bytes)) png_error(png, flaw);
  const bool is_gray_palette = IsGrayPalette(png, codec->info);
  if (png_get_color_type(png, codec->info) == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png);
  png_set_packing(png);  // below 8 bits: one value a byte, not stretched
  png_set_strip_alpha(png);
  png_set_swap(png);  // 16 bits: little-endian
  png_set_interlace_handling(png);
  png_read_update_info(png, codec->info);

  PngPixels& pixels = codec->pixels;
  pixels.width = png_get_image_width(png, codec->info);
  pixels.height = png_get_image_height(png, codec->info);
  pixels.channels = png_get_channels(png, codec->info);
  pixels.bits = png_get_bit_depth(png, codec->info);
  if ((pixels.channels != 1 && pixels.channels != 3) || (pixels.bits != 8 && pixels.bits != 16))
    png_error(png, "it is neither gray nor colour of 8 or 16 bits");
  const std::size_t row_bytes = png_get_rowbytes(png, codec->info);
  codec->raw.resize(row_bytes * static_cast<std::size_t>(pixels.height));
  codec->rows.resize(static_cast<std::size_t>(pixels.height));
  for (std::size_t y = 0; y < codec->rows.size(); ++y) codec->rows[y] = codec->raw.data() + y * row_bytes;
  png_read_image(png, codec->rows.data());
  png_read_end(png, nullptr);  // a file cut off after its last row has no end chunk

  const std::size_t stride = is_gray_palette ? 3 : 1;
  const std::size_t stored_bytes = static_cast<std::size_t>(pixels.bits / 8);
  const std::size_t stored = codec->raw.size() / stored_bytes;
  if (is_gray_palette) pixels.channels = 1;
  pixels.values.resize(stored / stride);
  for (std::size_t i = 0; i < pixels.values.size(); ++i)
    std::memcpy(&pixels.values[i], &codec->raw[i * stride * stored_bytes], stored_bytes);
  return true;
}

bool Encode(const PngPixels& pixels, Codec* codec) {
  png_structp png = codec->png;
  if (setjmp(png_jmpbuf(png)) != 0) return false;
  png_set_write_fn(png, codec, &OnWrite, &OnFlush);
  png_set_user_limits(png, kEdgeMax, kEdgeMax);
  png_set_IHDR(png, codec->info, static_cast<png_uint_32>(pixels.width), static_cast<png_uint_32>(pixels.height),
               pixels.bits, pixels.channels == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info(png, codec->info);
  if (pixels.bits == 16) png_set_swap(png);
  for (const png_bytep row : codec->rows) png_write_row(png, row);
  png_write_end(png, nullptr);
  return true;
}

}  // namespace

StatusOr<PngPixels> ReadPng(const std::filesystem::path& path) {
  std::error_code unused;  // a missing file is reported by reading it
  if (std::filesystem::exists(path, unused) && !std::filesystem::is_regular_file(path, unused))
    return InvalidArgument(path.string(), " is not a regular file");
  ASSIGN_OR_RETURN(const std::string content, ReadFile(path, kFileBytesMax));
  Codec codec;
  codec.input = AsBytes(content);
  codec.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &codec, &OnError, &OnWarning);
  if (codec.png == nullptr) return ResourceExhausted("reading ", path.string(), ": no memory for libpng");
  codec.info = png_create_info_struct(codec.png);
  const std::unique_ptr<Codec, void (*)(Codec*)> end(
      &codec, [](Codec* c) { png_destroy_read_struct(&c->png, &c->info, nullptr); });
  if (codec.info == nullptr) return ResourceExhausted("reading ", path.string(), ": no memory for libpng");
  try {
    if (!Decode(&codec))
      return InvalidArgument(path.string(), " is not a readable PNG: ", codec.error,
                             "; copy the file again from its source");
  } catch (const std::bad_alloc&) {
    return ResourceExhausted("reading ", path.string(), ": it does not fit into this machine's memory");
  }
  return std::move(codec.pixels);
}

Status WritePng(const std::filesystem::path& path, const PngPixels& pixels) {
  const std::size_t row_values = static_cast<std::size_t>(pixels.width * pixels.channels);
  CONSILIUM_CHECK(pixels.values.size() == row_values * static_cast<std::size_t>(pixels.height), path, ": ",
                  pixels.values.size());
  CONSILIUM_CHECK((pixels.channels == 1 || pixels.channels == 3) && (pixels.bits == 8 || pixels.bits == 16), path);
  if (pixels.width < 1 || pixels.height < 1 || pixels.width > kEdgeMax || pixels.height > kEdgeMax)
    return InvalidArgument("writing ", path.string(), ": a picture of ", pixels.width, " x ", pixels.height,
                           " pixels; edges must be 1 to ", kEdgeMax);
  Codec codec;
  const std::size_t value_bytes = static_cast<std::size_t>(pixels.bits / 8);
  codec.raw.resize(pixels.values.size() * value_bytes);
  for (std::size_t i = 0; i < pixels.values.size(); ++i)
    std::memcpy(&codec.raw[i * value_bytes], &pixels.values[i], value_bytes);
  for (std::size_t y = 0; y < static_cast<std::size_t>(pixels.height); ++y)
    codec.rows.push_back(&codec.raw[y * row_values * value_bytes]);

  codec.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &codec, &OnError, &OnWarning);
  if (codec.png == nullptr) return ResourceExhausted("writing ", path.string(), ": no memory for libpng");
  codec.info = png_create_info_struct(codec.png);
  const std::unique_ptr<Codec, void (*)(Codec*)> end(&codec,
                                                     [](Codec* c) { png_destroy_write_struct(&c->png, &c->info); });
  if (codec.info == nullptr || !Encode(pixels, &codec))
    return ResourceExhausted("writing ", path.string(), ": ",
                             codec.error.empty() ? "no memory for libpng" : codec.error);
  return WriteFileAtomic(path, codec.output);
}

}  // namespace consilium::datasets
