// Sites of other protocol versions, as a socket sees them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "comm/wire/upload.h"
#include "tests/unit/comm/transport/grpc/rig.h"

namespace consilium::transport::testing {
namespace {

using ::testing::HasSubstr;
using Event = CoordinatorRecorder::Event;

// A control stream that sends and receives bytes as they are.
class RawSession {
 public:
  explicit RawSession(Rig* rig) : stub_(rig->Stub(rig->parties().tls("alpha"))) {
    context_.set_deadline(std::chrono::system_clock::now() + kPatience);
    stream_ = stub_->Session(&context_);
  }
  ~RawSession() {
    context_.TryCancel();
    (void)stream_->Finish();
  }
  void Send(const Bytes& bytes) {
    v1::Envelope envelope;
    envelope.set_body(bytes.data(), bytes.size());
    EXPECT_TRUE(stream_->Write(envelope));
  }
  Bytes Read() {
    v1::Envelope envelope;
    EXPECT_TRUE(stream_->Read(&envelope));
    return Bytes(envelope.body().begin(), envelope.body().end());
  }
  v1::Federation::Stub& stub() { return *stub_; }

 private:
  std::unique_ptr<v1::Federation::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::Envelope, v1::Envelope>> stream_;
};

TEST(Versions, ASiteOfProtocol10IsServedWithTheMessagesThatItKnows) {
  Rig rig;
  RawSession site(&rig);
  site.Send(wire::Encode(wire::Hello{1, 0, "0.0.9", "x", {}}, 0));
  EXPECT_EQ(std::get<wire::Welcome>(wire::DecodeCoordinatorMessage(site.Read(), 0).value()).protocol_minor,
            wire::kProtocolMinor);
  const SessionId session = rig.events().Await(Event::kConnect, "alpha").session;
  rig.coordinator().Send(session, wire::Task{AnyTask(), "{}", {}, 5, wire::BlobManifest{}});
  const wire::CoordinatorMessage task = wire::DecodeCoordinatorMessage(site.Read(), 0).value();
  EXPECT_EQ(std::get<wire::Task>(task), (wire::Task{AnyTask(), "{}", {}, 5, {}}));
  const wire::Heartbeat beat{wire::SitePhase::kTraining, AnyTask(), 0.5, {}};
  site.Send(wire::Encode(beat, 0));
  EXPECT_EQ(std::get<wire::Heartbeat>(*rig.events().Await(Event::kMessage, "alpha").message), beat);

  grpc::ClientContext context;
  v1::UploadStatusRequest request;
  const wire::BlobManifest manifest = wire::ManifestOfFile(rig.MakeFile("update", 1000, 1)).value();
  const Bytes offer = wire::Encode(wire::UploadOffer{AnyTask(), manifest}, 0);
  request.set_offer(offer.data(), offer.size());
  v1::UploadStatusReply reply;
  const grpc::Status asked = site.stub().UploadStatus(&context, request, &reply);
  EXPECT_TRUE(asked.ok()) << asked.error_message();
}

TEST(Versions, ASiteOfALaterMinorVersionIsServedWithOurs) {
  Rig rig;
  RawSession site(&rig);
  Bytes hello = wire::Encode(wire::Hello{1, wire::kProtocolMinor + 3, "9.9", "x", {}});
  hello.push_back(42);  // a field that nobody knows yet
  site.Send(hello);
  EXPECT_TRUE(wire::DecodeCoordinatorMessage(site.Read()).ok());
  const SessionId session = rig.events().Await(Event::kConnect, "alpha").session;
  const wire::Task task{AnyTask(), "{}", {}, 5, wire::BlobManifest{}};
  rig.coordinator().Send(session, task);
  EXPECT_EQ(std::get<wire::Task>(wire::DecodeCoordinatorMessage(site.Read()).value()), task);
}

TEST(Versions, AnotherMajorVersionIsRefusedByNameOnBothSides) {
  Rig rig;
  GrpcClientOptions options = rig.ClientOptions("alpha");
  options.hello.protocol_major = 7;
  options.hello.protocol_minor = 2;
  const Status refused = rig.TryConnect(options);
  EXPECT_EQ(refused.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(refused.message(),
              HasSubstr(Concat("the site speaks protocol 7.2, the coordinator ", wire::kProtocolMajor, ".",
                               wire::kProtocolMinor, ": update the older one")));
  EXPECT_THAT(rig.log(), HasSubstr("the site speaks protocol 7.2"));
}

}  // namespace
}  // namespace consilium::transport::testing
