// What a layer of our own promises about itself.
#pragma once

namespace consilium::trainer {

// A base class for layers with parameters in which no sample of a batch touches another one's result: what differential
// privacy for records asks of every layer (trainer/privacy/layer_check.h).
class KeepsSamplesApart {
 protected:
  ~KeepsSamplesApart() = default;
};

}  // namespace consilium::trainer
