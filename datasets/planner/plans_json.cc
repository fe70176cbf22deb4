// nnUNetPlans.json as nnU-Net v2 writes it, key for key.
#include "datasets/planner/experiment_planner.h"

namespace consilium::datasets {
namespace {

struct ResamplingRule {
  bool is_label;
  int order;
};
constexpr ResamplingRule kDataResampling{.is_label = false, .order = 3};
constexpr ResamplingRule kLabelResampling{.is_label = true, .order = 1};
constexpr ResamplingRule kProbabilityResampling{.is_label = false, .order = 1};

Json ToJson(const ResamplingRule& rule) {
  return {{"is_seg", rule.is_label}, {"order", rule.order}, {"order_z", 0}, {"force_separate_z", nullptr}};
}

Json Architecture(Encoder encoder, const Configuration& configuration) {
  const bool is_residual = encoder == Encoder::kResidual;
  const std::string dimensions = configuration.spacing.size() == 2 ? "2d" : "3d";
  const std::size_t stages = configuration.strides.size();
  Json kwargs = {{"n_stages", stages},
                 {"features_per_stage", configuration.features},
                 {"conv_op", "torch.nn.modules.conv.Conv" + dimensions},
                 {"kernel_sizes", configuration.kernels},
                 {"strides", configuration.strides}};
  kwargs[is_residual ? "n_blocks_per_stage" : "n_conv_per_stage"] = EncoderBlocks(encoder, stages);
  kwargs["n_conv_per_stage_decoder"] = DecoderConvolutions(encoder, stages);
  kwargs["conv_bias"] = true;
  kwargs["norm_op"] = "torch.nn.modules.instancenorm.InstanceNorm" + dimensions;
  kwargs["norm_op_kwargs"] = {{"eps", 1e-5}, {"affine", true}};
  kwargs["dropout_op"] = nullptr;
  kwargs["dropout_op_kwargs"] = nullptr;
  kwargs["nonlin"] = "torch.nn.LeakyReLU";
  kwargs["nonlin_kwargs"] = {{"inplace", true}};
  return {{"network_class_name", std::string("dynamic_network_architectures.architectures.unet.") +
                                     (is_residual ? "ResidualEncoderUNet" : "PlainConvUNet")},
          {"arch_kwargs", std::move(kwargs)},
          {"_kw_requires_import", {"conv_op", "norm_op", "dropout_op", "nonlin"}}};
}

// The residual planners share the default planner's preprocessed data where they agree with it.
std::string DataIdentifier(const Plans& plans, const std::string& configuration) {
  const bool is_shared = plans.encoder == Encoder::kResidual && configuration != "3d_lowres";
  return (is_shared ? "nnUNetPlans" : plans.plans_name) + "_" + configuration;
}

Json ConfigurationToJson(const Plans& plans, const std::string& name, const Configuration& configuration) {
  return {{"data_identifier", DataIdentifier(plans, name)},
          {"preprocessor_name", "DefaultPreprocessor"},
          {"batch_size", configuration.batch_size},
          {"patch_size", configuration.patch_size},
          {"median_image_size_in_voxels", configuration.median_shape},
          {"spacing", configuration.spacing},
          {"normalization_schemes", plans.normalization_schemes},
          {"use_mask_for_norm", plans.use_mask_for_norm},
          {"resampling_fn_data", "resample_data_or_seg_to_shape"},
          {"resampling_fn_seg", "resample_data_or_seg_to_shape"},
          {"resampling_fn_data_kwargs", ToJson(kDataResampling)},
          {"resampling_fn_seg_kwargs", ToJson(kLabelResampling)},
          {"resampling_fn_probabilities", "resample_data_or_seg_to_shape"},
          {"resampling_fn_probabilities_kwargs", ToJson(kProbabilityResampling)},
          {"architecture", Architecture(plans.encoder, configuration)},
          {"batch_dice", configuration.batch_dice}};
}

}  // namespace

Json PlansToJson(const Plans& plans) {
  Json json = {{"dataset_name", plans.dataset_name},
               {"plans_name", plans.plans_name},
               {"original_median_spacing_after_transp", plans.original_median_spacing},
               {"original_median_shape_after_transp", plans.original_median_shape},
               {"image_reader_writer", plans.reader_writer},
               {"transpose_forward", plans.transpose_forward},
               {"transpose_backward", plans.transpose_backward}};
  Json& configurations = json["configurations"] = Json::object();
  if (plans.flat) configurations["2d"] = ConfigurationToJson(plans, "2d", *plans.flat);
  if (plans.lowres) {
    configurations["3d_lowres"] = ConfigurationToJson(plans, "3d_lowres", *plans.lowres);
    configurations["3d_lowres"]["next_stage"] = "3d_cascade_fullres";
  }
  if (plans.fullres) configurations["3d_fullres"] = ConfigurationToJson(plans, "3d_fullres", *plans.fullres);
  if (plans.lowres)
    configurations["3d_cascade_fullres"] = {{"inherits_from", "3d_fullres"}, {"previous_stage", "3d_lowres"}};
  json["experiment_planner_used"] = plans.planner_name;
  json["label_manager"] = "LabelManager";
  json["foreground_intensity_properties_per_channel"] = IntensitiesToJson(plans.intensities);
  return json;
}

}  // namespace consilium::datasets
