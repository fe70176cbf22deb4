// The verbs of operators: submit, list, status, log, why, pause, resume, abort, download.
#pragma once

#include "comm/base/command.h"

namespace consilium::coordinator {

int SubmitVerb(const Arguments& arguments);
int ListVerb(const Arguments& arguments);
int StatusVerb(const Arguments& arguments);
int LogVerb(const Arguments& arguments);
int WhyVerb(const Arguments& arguments);
int AbortVerb(const Arguments& arguments);
int PauseVerb(const Arguments& arguments);
int ResumeVerb(const Arguments& arguments);
int DownloadVerb(const Arguments& arguments);

}  // namespace consilium::coordinator
