#include "trainer/models/parameters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>

#include "comm/tensor/safetensors.h"
#include "tests/testing/run_program.h"
#include "trainer/models/plain_conv_unet.h"

namespace consilium::trainer {
namespace {

using ::testing::HasSubstr;

PlainConvUNet SmallNetwork(std::uint64_t seed) {
  return PlainConvUNet(UNetOptions{.channels_in = 1,
                                   .classes = 3,
                                   .strides = {{1, 1, 1}, {2, 2, 2}, {1, 2, 2}},
                                   .kernels = {{3, 3, 3}, {3, 3, 3}, {1, 3, 3}},
                                   .base_features = 4},
                       seed);
}

// A copy of `parameters` with other tensors beside or in place of its own.
tensor::ParameterVector Rebuilt(const tensor::ParameterVector& parameters,
                                const std::function<std::vector<std::string>(const std::string&)>& names_for,
                                float alias_offset = 0) {
  std::vector<tensor::TensorSpec> specs;
  std::map<std::string, std::vector<float>> values;
  for (std::size_t i = 0; i < parameters.schema().tensors().size(); ++i) {
    const tensor::TensorSpec& spec = parameters.schema().tensors()[i];
    for (const std::string& name : names_for(spec.name)) {
      specs.push_back({name, spec.dtype, spec.shape});
      values[name].assign(parameters.tensor(i).begin(), parameters.tensor(i).end());
      if (name != spec.name) values[name][0] += alias_offset;
    }
  }
  auto rebuilt =
      tensor::ParameterVector::Zeros(std::make_shared<const tensor::Schema>(*tensor::Schema::Create(std::move(specs))))
          .value();
  for (std::size_t i = 0; i < rebuilt.schema().tensors().size(); ++i)
    std::ranges::copy(values.at(rebuilt.schema().tensors()[i].name), rebuilt.tensor(i).begin());
  return rebuilt;
}

// Upstream's state_dict: each block's conv and norm again as all_modules.0 and .1, and the encoder once more below the
// decoder.
std::vector<std::string> UpstreamNames(const std::string& name) {
  std::vector<std::string> names = {name};
  for (const auto& [own, alias] : {std::pair{".conv.", ".all_modules.0."}, std::pair{".norm.", ".all_modules.1."}})
    if (const std::size_t at = name.find(own); at != std::string::npos)
      names.push_back(std::string(name).replace(at, std::string_view(own).size(), alias));
  if (name.rfind("encoder.", 0) == 0)
    for (const std::string& found : std::vector<std::string>(names)) names.push_back("decoder." + found);
  return names;
}

TEST(ParametersTest, ImportOfAnExportGivesTheSameOutputsBitForBit) {
  PlainConvUNet a = SmallNetwork(1), b = SmallNetwork(2);
  const torch::Tensor x = torch::rand({1, 1, 4, 8, 8});
  EXPECT_FALSE(torch::equal(a->forward(x)[0], b->forward(x)[0]));
  ASSERT_TRUE(ImportParameters(ExportParameters(*a), *b).ok());
  EXPECT_EQ(ExportParameters(*a).digest(), ExportParameters(*b).digest());
  const auto of_a = a->forward(x), of_b = b->forward(x);
  for (std::size_t i = 0; i < of_a.size(); ++i) EXPECT_TRUE(torch::equal(of_a[i], of_b[i]));
}

TEST(ParametersTest, ImportKeepsTheTensorsThatTheOptimizerHolds) {
  PlainConvUNet a = SmallNetwork(1), b = SmallNetwork(2);
  const torch::Tensor held = b->parameters()[0];
  ASSERT_TRUE(ImportParameters(ExportParameters(*a), *b).ok());
  EXPECT_TRUE(torch::equal(held, a->parameters()[0]));
}

TEST(ParametersTest, UpstreamsAliasesAreAcceptedAndMustAgree) {
  PlainConvUNet a = SmallNetwork(1), b = SmallNetwork(2);
  const tensor::ParameterVector own = ExportParameters(*a);
  const Status accepted = ImportParameters(Rebuilt(own, UpstreamNames), *b);
  ASSERT_TRUE(accepted.ok()) << accepted;
  EXPECT_EQ(ExportParameters(*b).digest(), own.digest());

  // Writers that store shared tensors once may keep any of the names.
  const auto last_alias = [](const std::string& name) { return std::vector{UpstreamNames(name).back()}; };
  b = SmallNetwork(3);
  const Status aliases_only = ImportParameters(Rebuilt(own, last_alias), *b);
  ASSERT_TRUE(aliases_only.ok()) << aliases_only;
  EXPECT_EQ(ExportParameters(*b).digest(), own.digest());

  const Status differ = ImportParameters(Rebuilt(own, UpstreamNames, 1.0F), *b);
  EXPECT_EQ(differ.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(differ.message(), HasSubstr("their values differ"));
}

TEST(ParametersTest, WhatDoesNotFitIsNamedAndChangesNothing) {
  PlainConvUNet a = SmallNetwork(1), b = SmallNetwork(2);
  const tensor::ParameterVector own = ExportParameters(*a);
  const Digest before = ExportParameters(*b).digest();
  const std::string victim = "decoder.seg_layers.1.bias";

  const Status missing = ImportParameters(
      Rebuilt(own, [&](const std::string& n) { return n == victim ? std::vector<std::string>{} : std::vector{n}; }),
      *b);
  EXPECT_THAT(missing.message(), HasSubstr("tensor 'decoder.seg_layers.1.bias' is missing"));

  const Status unknown = ImportParameters(Rebuilt(own,
                                                  [&](const std::string& n) {
                                                    return n == victim ? std::vector{n, n + "x"} : std::vector{n};
                                                  }),
                                          *b);
  EXPECT_THAT(unknown.message(), HasSubstr("tensor 'decoder.seg_layers.1.biasx' is not part of this model"));

  PlainConvUNet wider(UNetOptions{.strides = {{1, 1, 1}, {2, 2, 2}, {1, 2, 2}},
                                  .kernels = {{3, 3, 3}, {3, 3, 3}, {1, 3, 3}},
                                  .base_features = 4},
                      /*seed=*/1);  // two classes instead of three
  const Status shape = ImportParameters(ExportParameters(*wider), *b);
  EXPECT_THAT(shape.message(), HasSubstr("has shape [2], this model expects [3]"));
  for (const Status& status : {missing, unknown, shape}) EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(ExportParameters(*b).digest(), before);
}

// "name [1, 2] 0x... 0x..." for each tensor, as read_safetensors.py prints it.
std::string ExpectedListing(const tensor::ParameterVector& parameters) {
  std::string text;
  for (std::size_t i = 0; i < parameters.schema().tensors().size(); ++i) {
    const tensor::TensorSpec& spec = parameters.schema().tensors()[i];
    text += spec.name + " [";
    for (std::size_t axis = 0; axis < spec.shape.size(); ++axis)
      text += Concat(axis == 0 ? "" : ", ", spec.shape[axis]);
    double sum = 0;
    for (const float value : parameters.tensor(i)) sum += value;
    text += Concat("] ", sum, " ", parameters.tensor(i).back(), "\n");
  }
  return text;
}

// The same with the hexadecimal numbers read.
std::string Readable(const std::string& listing) {
  std::istringstream lines(listing);
  std::string text;
  for (std::string line; std::getline(lines, line);) {
    const std::size_t last = line.rfind(' '), before = line.rfind(' ', last - 1);
    text += Concat(line.substr(0, before), " ", std::strtod(line.c_str() + before, nullptr), " ",
                   static_cast<float>(std::strtod(line.c_str() + last, nullptr)), "\n");
  }
  return text;
}

TEST(ParametersTest, PythonsStandardLibraryReadsTheWeights) {
  if (std::system("command -v python3 >/dev/null 2>&1") != 0) GTEST_SKIP() << "python3 is not installed";
  const testing::ScratchFolder folder;
  const tensor::ParameterVector parameters = ExportParameters(*SmallNetwork(1));
  const std::filesystem::path path = folder / "model.safetensors", listing = folder / "listing";
  ASSERT_TRUE(tensor::WriteParameters(path, parameters, {{"format", "pt"}}).ok());
  const std::string command =
      Concat("python3 '", CONSILIUM_SOURCE_DIR, "/tests/unit/trainer/models/read_safetensors.py' '", path.string(),
             "' > '", listing.string(), "'");
  ASSERT_EQ(std::system(command.c_str()), 0);
  EXPECT_EQ(Readable(ReadFile(listing).value()), ExpectedListing(parameters));
}

}  // namespace
}  // namespace consilium::trainer
