#include "coordinator/service/operator_desk.h"

#include <boost/asio/post.hpp>

#include "comm/base/command.h"
#include "comm/base/file.h"
#include "comm/base/log.h"
#include "coordinator/service/model_file.h"
#include "coordinator/service/noise_check.h"
#include "coordinator/service/plan_files.h"

namespace consilium::coordinator {
namespace {

using transport::Right;
using transport::Role;

constexpr auto kLogPoll = std::chrono::milliseconds(250);

Right RightFor(const wire::OperatorRequest& request) {
  if (std::holds_alternative<wire::SubmitJob>(request) || std::holds_alternative<wire::PutChunk>(request))
    return Right::kSubmit;
  const bool holds_up = std::holds_alternative<wire::AbortJob>(request) ||
                        std::holds_alternative<wire::PauseJob>(request) ||
                        std::holds_alternative<wire::ResumeJob>(request);
  return holds_up ? Right::kAbort : Right::kView;
}

bool IsForSites(const wire::OperatorRequest& request) {
  return std::holds_alternative<wire::Ping>(request) || std::holds_alternative<wire::ListJobs>(request) ||
         std::holds_alternative<wire::DescribeJob>(request) || std::holds_alternative<wire::ExplainJob>(request);
}

Reader ReaderOf(const transport::PeerName& who) {
  return who.role == Role::kSite ? Reader{SiteName(who.name)} : Reader{};
}

}  // namespace

Status MayAsk(const transport::PeerName& who, const wire::OperatorRequest& request) {
  if (std::holds_alternative<wire::Ping>(request)) return Status();
  const std::string_view what = wire::RequestName(request);
  if (who.role == Role::kSite) {
    if (IsForSites(request)) return Status();
    return PermissionDenied("'", what, "' is for operators; the site '", who.name,
                            "' may only list its own jobs and ask for their status and why");
  }
  if (who.role != Role::kOperator) return PermissionDenied("only operators and sites may ask");
  const Right right = RightFor(request);
  if (who.rights.contains(right)) return Status();
  return PermissionDenied("'", what, "' needs the role '", transport::RightName(right), "', and the certificate of '",
                          who.name, "' has: ", transport::ToString(who.rights),
                          "; another kit comes from whoever runs consilium provision");
}

Status FitsOnDisk(const Submission& submission, const DiskBudget& budget) {
  const std::uint64_t needed = DiskNeeded(submission);
  const std::string need =
      Concat("job '", submission.job, "' may need ", FormatBytes(needed), " on the coordinator's disk (",
             submission.sites.size(), " sites + ", ModelsNeeded(submission) - submission.sites.size(), ", of ",
             FormatBytes(needed / ModelsNeeded(submission)), " each)");
  if (budget.quota > 0 && budget.promised + needed > budget.quota)
    return Storage(need, ", ", FormatBytes(budget.promised), " are promised to other jobs, and the quota is ",
                   FormatBytes(budget.quota),
                   "; wait for a job to end, or start the coordinator with a larger --quota");
  const std::uint64_t outstanding = budget.promised > budget.used ? budget.promised - budget.used : 0;
  if (needed + outstanding > budget.available)
    return Storage(need, ", ", FormatBytes(outstanding), " more are promised to other jobs, and ",
                   FormatBytes(budget.available), " are free; free some space, or wait for a job to end");
  return Status();
}

OperatorDesk::OperatorDesk(Options options, boost::asio::io_context* loop, boost::asio::thread_pool* readers,
                           transport::BlobStore* blobs, ModelIntake* intake, JobFiles* files, JobTable* table)
    : options_(std::move(options)),
      loop_(loop),
      readers_(readers),
      blobs_(blobs),
      intake_(intake),
      files_(files),
      table_(table) {}

void OperatorDesk::OnRequest(const transport::PeerName& who, wire::OperatorRequest request, Answer answer) {
  if (const Status allowed = MayAsk(who, request); !allowed.ok()) {
    Log(LogLevel::kWarning, "operator_refused", {{"who", transport::ToUri(who)}, {"reason", allowed.message()}});
    return answer(allowed);
  }
  boost::asio::post(*loop_, [this, who, request = std::move(request), answer = std::move(answer)] {
    std::visit([&](const auto& alternative) { On(who, alternative, answer); }, request);
  });
}

void OperatorDesk::InReader(std::function<void()> work) { boost::asio::post(*readers_, std::move(work)); }

void OperatorDesk::On(const Who& who, const wire::Ping&, const Answer& answer) {
  answer(wire::OperatorReply(
      wire::Pong{.build = kVersion, .coordinator = options_.coordinator, .you = transport::ToUri(who)}));
}

// --- submit

// Everything that can be wrong with the job, before anything is stored of it.
StatusOr<Submission> OperatorDesk::Judge(const wire::SubmitJob& request) const {
  ASSIGN_OR_RETURN(const ConfigNode node, ConfigNode::Parse(request.job_json, "the job"));
  StatusOr<wire::JobSpec> job = wire::ParseJob(node);
  if (!job.ok()) return Annotate(job.status(), "this coordinator (consilium ", kVersion, ") cannot run it");
  ASSIGN_OR_RETURN(Submission submission, SubmissionOf(*job, options_.roster, "the job"));
  submission.model = request.model;
  submission.priority = request.priority;
  RETURN_IF_ERROR(CheckInitialModel(submission, ", and it is empty"));
  return submission;
}

Status OperatorDesk::CheckDisk(const Submission& submission) const {
  std::error_code error;
  const std::filesystem::space_info space = std::filesystem::space(options_.state, error);
  if (error) return ErrnoStatus(error.value(), "asking how much of " + options_.state.string() + " is free");
  return FitsOnDisk(submission, {.available = space.available,
                                 .promised = table_->BytesPromised(),
                                 .used = blobs_->BytesUsed(),
                                 .quota = options_.quota_bytes});
}

void OperatorDesk::On(const Who& who, const wire::SubmitJob& request, const Answer& answer) {
  StatusOr<Submission> submission = Judge(request);
  if (!submission.ok()) return answer(submission.status());
  submission->by = who.name;
  if (const JobEntry* there = table_->Find(submission->job)) {
    const std::string difference = Difference(there->submission, *submission);
    if (!difference.empty())
      return answer(InvalidArgument("job '", submission->job, "' is there already, with other settings (", difference,
                                    "); give this one another name"));
    return answer(wire::OperatorReply(wire::SubmitReply{wire::SubmitState::kThereBefore, 0,
                                                        Concat("the same job is there already: ", StandName(*there))}));
  }
  if (const Status fits = CheckDisk(*submission); !fits.ok()) return answer(fits);
  if (submission->model.bytes == 0) return Accept(*std::move(submission), Status(), answer);
  const StatusOr<std::uint32_t> chunks = intake_->Announce(who.name, submission->model);
  if (!chunks.ok()) return answer(chunks.status());
  if (!blobs_->Has(submission->model.digest))
    return answer(wire::OperatorReply(wire::SubmitReply{wire::SubmitState::kModelWanted, *chunks, ""}));
  InReader([this, submission = *std::move(submission), answer]() mutable {
    const std::filesystem::path path = blobs_->PathOf(submission.model.digest);
    Status verdict = CheckModelFile(path);
    if (!verdict.ok() && verdict.code() != StatusCode::kStorage)
      verdict = InvalidArgument("the initial model cannot be used: ", verdict.message());
    if (verdict.ok()) verdict = CheckSiteNoise(submission, path);
    if (verdict.ok()) verdict = SyncFile(path);
    boost::asio::post(*loop_, [this, submission = std::move(submission), verdict, answer]() mutable {
      Accept(std::move(submission), verdict, answer);
    });
  });
}

void OperatorDesk::Accept(Submission submission, const Status& verdict, const Answer& answer) {
  const JobId job = submission.job;
  const Digest model = submission.model.digest;
  if (!verdict.ok()) {
    intake_->Forget(model);
    if (!table_->Keep().contains(model)) (void)blobs_->Remove(model);
    return answer(verdict);
  }
  const std::string by = submission.by;
  const std::int32_t priority = submission.priority;
  const StatusOr<bool> added = table_->Add(std::move(submission));
  if (!added.ok()) return answer(added.status());
  intake_->Forget(model);
  if (*added)
    if (const auto events = JsonLines::Open(table_->FolderOf(job).events(), JsonLines::At::kEnd); events.ok())
      RecordEvent(events->get(), SystemClock(), job, "submitted", {{"by", by}, {"priority", priority}});
  answer(wire::OperatorReply(wire::SubmitReply{*added ? wire::SubmitState::kAccepted : wire::SubmitState::kThereBefore,
                                               0, PlaceInWords(job)}));
}

std::string OperatorDesk::PlaceInWords(const JobId& job) const {
  const JobEntry* entry = table_->Find(job);
  if (entry->stand == Stand::kStopped) return "it cannot go on: " + entry->stopped.message();
  if (entry->stand != Stand::kQueued) return StandName(*entry);
  const std::vector<JobId> queue = table_->Queue();
  const auto place = std::find(queue.begin(), queue.end(), job) - queue.begin() + 1;
  return Concat("queued as number ", place, ": ", table_->active_max(), " jobs run at once at most");
}

void OperatorDesk::On(const Who& who, const wire::PutChunk& request, const Answer& answer) {
  InReader([this, who = who.name, request, answer] {
    const StatusOr<std::uint32_t> done = intake_->Put(who, request.model, request.index, AsBytes(request.data));
    answer(done.ok() ? StatusOr<wire::OperatorReply>(wire::ChunkTaken{*done}) : done.status());
  });
}

// --- view

StatusOr<const JobEntry*> OperatorDesk::Seen(const Who& who, const JobId& job) const {
  const JobEntry* entry = table_->Find(job);
  if (entry != nullptr && MaySee(ReaderOf(who), *entry)) return entry;
  // A site is not told what jobs there are that it has no part in.
  if (who.role == Role::kSite) return NotFound("'", who.name, "' takes part in no job '", job, "'");
  return table_->NoSuchJob(job);
}

void OperatorDesk::On(const Who& who, const wire::ListJobs&, const Answer& answer) {
  answer(wire::OperatorReply(wire::Document{ListDocument(*table_, ReaderOf(who), SystemClock().Now()).dump()}));
}

void OperatorDesk::On(const Who& who, const wire::DescribeJob& request, const Answer& answer) {
  const StatusOr<const JobEntry*> entry = Seen(who, request.job);
  if (!entry.ok()) return answer(entry.status());
  answer(
      wire::OperatorReply(wire::Document{StatusDocument(*table_, **entry, ReaderOf(who), SystemClock().Now()).dump()}));
}

void OperatorDesk::On(const Who& who, const wire::ExplainJob& request, const Answer& answer) {
  const StatusOr<const JobEntry*> entry = Seen(who, request.job);
  if (!entry.ok()) return answer(entry.status());
  answer(wire::OperatorReply(wire::Document{
      WhyDocument(*table_, **entry, ReaderOf(who), SystemClock().Now(), SystemClock().WallNow()).dump()}));
}

struct OperatorDesk::LogWait {
  JobId job;
  std::uint64_t position = 0;
  Instant give_up{};
  Answer answer;
};

void OperatorDesk::On(const Who& who, const wire::ReadLog& request, const Answer& answer) {
  const StatusOr<const JobEntry*> entry = Seen(who, request.job);
  if (!entry.ok()) return answer(entry.status());
  const auto wait = std::chrono::milliseconds(std::min(request.wait_ms, wire::kLogWaitMaxMs));
  PollLog(std::make_shared<LogWait>(LogWait{request.job, request.position, SystemClock().Now() + wait, answer}));
}

void OperatorDesk::PollLog(std::shared_ptr<LogWait> wait) {
  // Asked before the file is read: what a finished job has to say is in it by then.
  const JobEntry* entry = table_->Find(wait->job);
  const bool finished = entry == nullptr || entry->stand == Stand::kFinished;
  InReader([this, wait, finished, path = table_->FolderOf(wait->job).events()] {
    StatusOr<wire::LogPart> part = ReadLogPart(path, wait->position);
    if (!part.ok()) return wait->answer(part.status());
    part->over = finished && part->lines.empty();
    if (!part->lines.empty() || part->over || SystemClock().Now() >= wait->give_up)
      return wait->answer(wire::OperatorReply(*std::move(part)));
    boost::asio::post(*loop_, [this, wait] {
      const auto timer = std::make_shared<boost::asio::steady_timer>(*loop_, kLogPoll);
      timer->async_wait([this, wait, timer](const boost::system::error_code& error) {
        if (!error) PollLog(wait);
      });
    });
  });
}

void OperatorDesk::On(const Who& who, const wire::OfferFile& request, const Answer& answer) {
  const StatusOr<const JobEntry*> entry = Seen(who, request.job);
  if (!entry.ok()) return answer(entry.status());
  std::optional<std::filesystem::path> in_force;
  if ((*entry)->stand == Stand::kActive && (*entry)->runner->state().model().bytes > 0)
    in_force = blobs_->PathOf((*entry)->runner->state().model().digest);
  InReader([this, folder = table_->FolderOf(request.job), name = request.name, in_force, answer] {
    StatusOr<wire::FileOffer> offer = files_->Offer(folder, name, in_force);
    answer(offer.ok() ? StatusOr<wire::OperatorReply>(*std::move(offer)) : offer.status());
  });
}

void OperatorDesk::On(const Who&, const wire::GetChunk& request, const Answer& answer) {
  InReader([this, request, answer] {
    StatusOr<wire::FileChunk> chunk = files_->Read(request.digest, request.index);
    answer(chunk.ok() ? StatusOr<wire::OperatorReply>(*std::move(chunk)) : chunk.status());
  });
}

// --- abort, pause, resume

void OperatorDesk::On(const Who& who, const wire::AbortJob& request, const Answer& answer) {
  AnswerStatus(table_->Abort(request.job, who.name, request.reason.substr(0, 1000)), request.job, answer);
}

void OperatorDesk::On(const Who& who, const wire::PauseJob& request, const Answer& answer) {
  AnswerStatus(table_->Pause(request.job, who.name), request.job, answer);
}

void OperatorDesk::On(const Who& who, const wire::ResumeJob& request, const Answer& answer) {
  AnswerStatus(table_->Resume(request.job, who.name), request.job, answer);
}

// What became of the job, or why that could not be done.
void OperatorDesk::AnswerStatus(const Status& done, const JobId& job, const Answer& answer) const {
  if (!done.ok()) return answer(done);
  answer(wire::OperatorReply(
      wire::Document{StatusDocument(*table_, *table_->Find(job), Reader{}, SystemClock().Now()).dump()}));
}

}  // namespace consilium::coordinator
