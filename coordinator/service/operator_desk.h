// Answers operators: who may ask what, and what comes of it.
//
// Requests come from transport threads and are answered on the strand; files are read and checked in worker threads.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>

#include "comm/transport/operator.h"
#include "coordinator/service/job_documents.h"
#include "coordinator/service/job_files.h"
#include "coordinator/service/model_intake.h"

namespace consilium::coordinator {

// May `who` make this request at all?  PermissionDenied, naming the role that is lacking.
Status MayAsk(const transport::PeerName& who, const wire::OperatorRequest& request);

// Would the job fit beside what is promised to others?  Errors: Storage, with the numbers.
struct DiskBudget {
  std::uint64_t available = 0;  // free on the disk
  std::uint64_t promised = 0;   // to the jobs that are not over
  std::uint64_t used = 0;       // of that, already on the disk
  std::uint64_t quota = 0;      // 0: the disk alone decides
};
Status FitsOnDisk(const Submission& submission, const DiskBudget& budget);

class OperatorDesk final : public transport::OperatorEvents {
 public:
  struct Options {
    std::filesystem::path state;
    std::string coordinator;       // its certificate's name
    std::vector<SiteName> roster;  // the sites that have kits, in name order
    std::uint64_t quota_bytes = 0;
  };
  // All outlive the desk; `readers` is joined before.
  OperatorDesk(Options options, boost::asio::io_context* loop, boost::asio::thread_pool* readers,
               transport::BlobStore* blobs, ModelIntake* intake, JobFiles* files, JobTable* table);

  void OnRequest(const transport::PeerName& who, wire::OperatorRequest request, Answer answer) override;

 private:
  using Who = transport::PeerName;
  void On(const Who& who, const wire::Ping& request, const Answer& answer);
  void On(const Who& who, const wire::SubmitJob& request, const Answer& answer);
  void On(const Who& who, const wire::PutChunk& request, const Answer& answer);
  void On(const Who& who, const wire::ListJobs& request, const Answer& answer);
  void On(const Who& who, const wire::DescribeJob& request, const Answer& answer);
  void On(const Who& who, const wire::ExplainJob& request, const Answer& answer);
  void On(const Who& who, const wire::AbortJob& request, const Answer& answer);
  void On(const Who& who, const wire::PauseJob& request, const Answer& answer);
  void On(const Who& who, const wire::ResumeJob& request, const Answer& answer);
  void AnswerStatus(const Status& done, const JobId& job, const Answer& answer) const;
  void On(const Who& who, const wire::ReadLog& request, const Answer& answer);
  void On(const Who& who, const wire::OfferFile& request, const Answer& answer);
  void On(const Who& who, const wire::GetChunk& request, const Answer& answer);

  StatusOr<Submission> Judge(const wire::SubmitJob& request) const;
  Status CheckDisk(const Submission& submission) const;
  void Accept(Submission submission, const Status& verdict, const Answer& answer);
  std::string PlaceInWords(const JobId& job) const;
  // The job, when `who` may know of it.
  StatusOr<const JobEntry*> Seen(const Who& who, const JobId& job) const;
  struct LogWait;
  void PollLog(std::shared_ptr<LogWait> wait);
  void InReader(std::function<void()> work);

  const Options options_;
  boost::asio::io_context* const loop_;
  boost::asio::thread_pool* const readers_;
  transport::BlobStore* const blobs_;
  ModelIntake* const intake_;
  JobFiles* const files_;
  JobTable* const table_;
};

}  // namespace consilium::coordinator
