// Starting this very program once more in its own process.
#pragma once

namespace consilium::trainer {

// Executes this program anew under its real path, so that `ps` and `top` show its name ("/proc/self/exe" would make it
// "exe"); under /proc/self/exe when that path is gone or holds another file by now.  The process id and open files
// stay.  Returns only when the system refuses, and then nothing has changed.  Async-signal-unsafe.
void ExecuteThisProgram(char** argv, char** environment);

}  // namespace consilium::trainer
