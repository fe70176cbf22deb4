// consilium plan, consilium statistics.
#pragma once

#include "comm/base/command.h"

namespace consilium::datasets {

int PlanVerb(const Arguments& arguments);
int StatisticsVerb(const Arguments& arguments);

}  // namespace consilium::datasets
