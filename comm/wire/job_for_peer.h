// What of a job a site of an older protocol is sent.
#pragma once

#include <cstdint>
#include <string>

namespace consilium::wire {

// A site refuses keys that it does not know, and a resolved job says every key.  This leaves out those that protocol
// 1.`minor` did not have, each as long as the job means the same without it; one that says something stays, and the
// site then refuses the job by that key's name (a coordinator gives no such job to a site that lacks a feature, see
// capability.h).  For the minor version of this build, and where the JSON is not a job: as it is.
std::string JobForPeer(const std::string& job_json, std::uint32_t minor);

}  // namespace consilium::wire
