#include "datasets/planner/value_histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "datasets/planner/varint.h"

namespace consilium::datasets {
namespace {

constexpr std::uint64_t kSignBit = std::uint64_t{1} << 63;
constexpr std::uint64_t kAtomsMax = std::uint64_t{1} << 20;  // points that all wide cells' weight is spread over

std::uint64_t MaskOf(int shift) { return shift >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << shift) - 1; }
bool IsInOrder(const HistogramCell& a, const HistogramCell& b) {
  return a.begin != b.begin ? a.begin < b.begin : a.shift < b.shift;
}

}  // namespace

std::uint64_t OrderedKey(double value) {
  const auto bits = std::bit_cast<std::uint64_t>(value + 0.0);
  return (bits & kSignBit) != 0 ? ~bits : bits | kSignBit;
}

double ValueOfKey(std::uint64_t key) { return std::bit_cast<double>((key & kSignBit) != 0 ? key & ~kSignBit : ~key); }

HistogramCell CellOf(double value, int shift, std::uint64_t weight) {
  return {.begin = OrderedKey(value) & ~MaskOf(shift), .shift = shift, .weight = weight};
}

ValueHistogram::ValueHistogram(int shift, std::vector<HistogramCell> cells) : cells_(std::move(cells)) {
  WidenTo(shift);
}

// Sorted, and one cell for each (begin, shift).
void ValueHistogram::Normalise() {
  if (!std::is_sorted(cells_.begin(), cells_.end(), IsInOrder)) std::sort(cells_.begin(), cells_.end(), IsInOrder);
  std::size_t kept = 0;
  for (const HistogramCell& cell : cells_) {
    if (cell.weight == 0) continue;
    if (kept > 0 && cells_[kept - 1].begin == cell.begin && cells_[kept - 1].shift == cell.shift) {
      cells_[kept - 1].weight += cell.weight;
    } else {
      cells_[kept++] = cell;
    }
  }
  cells_.resize(kept);
}

void ValueHistogram::WidenTo(int shift) {
  shift_ = shift;
  for (HistogramCell& cell : cells_) {
    if (cell.shift >= shift) continue;
    cell.shift = shift;
    cell.begin &= ~MaskOf(shift);
  }
  Normalise();
}

void ValueHistogram::Merge(const ValueHistogram& other, std::size_t cells_max) {
  cells_.insert(cells_.end(), other.cells_.begin(), other.cells_.end());
  WidenTo(std::max(shift_, other.shift_));  // wide cells cannot be divided again
  Limit(cells_max);
}

void ValueHistogram::Limit(std::size_t cells_max) {
  CONSILIUM_CHECK(cells_max >= 1, "a limit of ", cells_max, " cells");
  while (cells_.size() > cells_max) WidenTo(shift_ + 1);
}

std::uint64_t ValueHistogram::total() const {
  std::uint64_t total = 0;
  for (const HistogramCell& cell : cells_) total += cell.weight;
  return total;
}

std::vector<ValueHistogram::Atom> ValueHistogram::Atoms(ValueKind kind) const {
  static const std::uint64_t kLeast = OrderedKey(std::numeric_limits<double>::lowest());
  static const std::uint64_t kGreatest = OrderedKey(std::numeric_limits<double>::max());
  const std::uint64_t points = std::clamp<std::uint64_t>(kAtomsMax / std::max<std::size_t>(cells_.size(), 1), 1, 64);
  std::vector<Atom> atoms;
  for (const HistogramCell& cell : cells_) {
    // The widest cells reach beyond the finite numbers; no weight lies there.
    const std::uint64_t first = std::clamp(cell.begin, kLeast, kGreatest);
    const std::uint64_t last = std::clamp(cell.begin | MaskOf(cell.shift), kLeast, kGreatest);
    const double low = ValueOfKey(first), high = ValueOfKey(last);
    if (cell.shift == 0) {
      atoms.push_back({low, cell.weight});
      continue;
    }
    if (std::max(std::abs(low), std::abs(high)) <= std::numeric_limits<double>::min()) {
      atoms.push_back({0, cell.weight});  // between the smallest numbers there are nobody needs to tell
      continue;
    }
    const std::uint64_t whole = cell.weight / points, rest = cell.weight % points;
    for (std::uint64_t i = 0; i < points; ++i) {
      const auto share = [&](std::uint64_t n) { return (2 * n * rest + points) / (2 * points); };
      const std::uint64_t weight = whole + share(i + 1) - share(i);
      if (weight == 0) continue;
      const double at = (static_cast<double>(i) + 0.5) / static_cast<double>(points);
      double value = ValueOfKey(first + static_cast<std::uint64_t>(at * static_cast<double>(last - first)));
      if (kind == ValueKind::kWhole && std::ceil(low) <= std::floor(high))
        value = std::clamp(std::nearbyint(value), std::ceil(low), std::floor(high));
      atoms.push_back({value, weight});
    }
  }
  std::sort(atoms.begin(), atoms.end(), [](const Atom& a, const Atom& b) { return a.value < b.value; });
  return atoms;
}

std::vector<double> ValueHistogram::Percentiles(std::span<const double> percents, ValueKind kind) const {
  CONSILIUM_CHECK(!cells_.empty(), "percentiles of nothing");
  const std::vector<Atom> atoms = Atoms(kind);
  std::vector<std::uint64_t> up_to;  // how many samples lie in this atom and those before it
  for (const Atom& atom : atoms) up_to.push_back((up_to.empty() ? 0 : up_to.back()) + atom.weight);
  const auto sample = [&](std::uint64_t rank) {
    const auto at = std::upper_bound(up_to.begin(), up_to.end(), rank);
    return atoms[std::min(static_cast<std::size_t>(at - up_to.begin()), atoms.size() - 1)].value;
  };
  std::vector<double> values;
  for (const double percent : percents) {
    const double position = percent / 100 * static_cast<double>(up_to.back() - 1);
    const auto below = static_cast<std::uint64_t>(position);
    const double low = sample(below), high = sample(below + 1), t = position - static_cast<double>(below);
    values.push_back(t < 0.5 ? low + (high - low) * t : high - (high - low) * (1 - t));
  }
  return values;
}

std::vector<double> ValueHistogram::Samples(ValueKind kind) const {
  std::vector<double> samples;
  for (const Atom& atom : Atoms(kind)) samples.insert(samples.end(), atom.weight, atom.value);
  return samples;
}

void ValueHistogram::EncodeTo(ByteWriter* writer) const {
  writer->Put(static_cast<std::uint8_t>(shift_));
  PutVarint(writer, cells_.size());
  std::uint64_t before = 0;
  for (const HistogramCell& cell : cells_) {
    writer->Put(static_cast<std::uint8_t>(cell.shift));
    // Begins ascend, and the last `shift` bits of this one are 0: most differences fit into a byte or two.
    const int shift = std::min(cell.shift, 63);
    PutVarint(writer, (cell.begin >> shift) - (before >> shift));
    PutVarint(writer, cell.weight);
    before = cell.begin;
  }
}

ValueHistogram ValueHistogram::DecodeFrom(ByteReader* reader, std::size_t cells_max, std::uint64_t total_max) {
  ValueHistogram histogram;
  histogram.shift_ = reader->Get<std::uint8_t>();
  const std::uint64_t count = GetVarint(reader);
  if (histogram.shift_ > kShiftMax) reader->Fail(Concat("a histogram of ", histogram.shift_, " bits"));
  if (count > cells_max || count > reader->remaining() / 3) {
    reader->Fail(
        Concat("a histogram of ", count, " cells, more than the ", cells_max, " allowed or than there are bytes"));
    return {};
  }
  std::uint64_t total = 0;
  HistogramCell cell;
  for (std::uint64_t i = 0; i < count && reader->status().ok(); ++i) {
    const HistogramCell before = cell;
    cell.shift = reader->Get<std::uint8_t>();
    if (cell.shift > kShiftMax || cell.shift < histogram.shift_)
      reader->Fail(Concat("a histogram cell of ", cell.shift, " bits"));
    const int shift = std::min(cell.shift, 63);
    const std::uint64_t prefix = (before.begin >> shift) + GetVarint(reader);
    cell.begin = prefix << shift;
    cell.weight = GetVarint(reader);
    if (cell.begin >> shift != prefix || (cell.begin & MaskOf(cell.shift)) != 0 || (i > 0 && !IsInOrder(before, cell)))
      reader->Fail("histogram cells are out of order");
    if (cell.weight == 0 || cell.weight > total_max - total) {
      reader->Fail(Concat("a histogram's weights are 0 or above ", total_max, " in all"));
      break;
    }
    total += cell.weight;
    histogram.cells_.push_back(cell);
  }
  return reader->status().ok() ? histogram : ValueHistogram();
}

void SuppressedHistogram::Absorb(const Node& from, Node* into) const {
  into->weight += from.weight;
  for (const std::uint32_t number : from.cases) {
    if (into->cases.size() >= cases_min_) return;
    if (std::find(into->cases.begin(), into->cases.end(), number) == into->cases.end()) into->cases.push_back(number);
  }
}

void SuppressedHistogram::Add(std::uint32_t case_number, double value, std::uint64_t weight) {
  if (weight > 0) Absorb({.weight = weight, .cases = {case_number}}, &leaves_[OrderedKey(value) & ~MaskOf(shift_)]);
}

SuppressedHistogram::Level SuppressedHistogram::Widened(const Level& level, int shift) const {
  Level wider;
  for (const auto& [begin, node] : level) Absorb(node, &wider[begin & ~MaskOf(shift)]);
  return wider;
}

ValueHistogram SuppressedHistogram::Build(std::size_t cells_max) const {
  Level level = leaves_;
  int shift = shift_;
  while (level.size() > cells_max) level = Widened(level, ++shift);
  const int narrowest = shift;
  std::vector<HistogramCell> shown;
  for (;; level = Widened(level, ++shift)) {
    for (auto at = level.begin(); at != level.end();) {
      if (at->second.cases.size() < cases_min_) {
        ++at;
        continue;
      }
      shown.push_back({.begin = at->first, .shift = shift, .weight = at->second.weight});
      at = level.erase(at);
    }
    if (level.empty() || shift == kShiftMax || (shift >= kOctaveShift && !shown.empty())) break;
  }
  if (shown.empty()) return ValueHistogram(narrowest, {});
  for (const auto& [begin, node] : level) {
    const std::uint64_t end = begin | MaskOf(shift);
    const auto distance = [&, begin = begin](const HistogramCell& cell) {
      const std::uint64_t last = cell.begin | MaskOf(cell.shift);
      return last < begin ? begin - last : cell.begin > end ? cell.begin - end : 0;
    };
    std::min_element(shown.begin(), shown.end(), [&](const HistogramCell& a, const HistogramCell& b) {
      return distance(a) != distance(b) ? distance(a) < distance(b) : IsInOrder(a, b);
    })->weight += node.weight;
  }
  return ValueHistogram(narrowest, std::move(shown));
}

}  // namespace consilium::datasets
