// The verbs of the demonstration's data and pictures, for the table in trainer/main.cc.
#pragma once

#include "comm/base/command.h"

namespace consilium::datasets {

// demo-data --output DIR [--source DATASET] ...: three hospitals' folders, from $CONSILIUM_DATA/Dataset004_Hippocampus
// when it is there, else from the one brain of the Debian package mricron-data.
int DemoDataVerb(const Arguments& arguments);

// montage --output PNG (--images DIR --labels DIR --predictions DIR | --site NAME=IMAGES,LABELS,PREDICTIONS ...): a
// picture of image, truth and prediction, a row a case.
int MontageVerb(const Arguments& arguments);

}  // namespace consilium::datasets
