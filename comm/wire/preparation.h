// What the sites of a job that begins without a network (NeedsPlan, apply_plan.h) do before round 0: two tasks of kind
// kStatistics, told apart by TaskKey::subject.
#pragma once

namespace consilium::wire {

// "": the statistics of the data set, datasets::EncodeStatistics; Task::job_json has no plan yet, Task::model is empty.
// This: the planned network's seeded weights as safetensors; Task::job_json is the pinned job, Task::model is empty.
inline constexpr char kInitialModelSubject[] = "initial-model";

}  // namespace consilium::wire
