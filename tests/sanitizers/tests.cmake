# What `--preset tsan` and `--preset asan` build and run: the control plane, its unit tests and the real programs with a
# stub for a trainer. Not what links LibTorch, whose threads and memory the sanitizers cannot follow (README.md).
set(CONSILIUM_SANITIZED_TESTS
  comm_base_test comm_tensor_test comm_wire_test comm_wire_frame_test comm_wire_job_test comm_wire_update_test
  comm_transport_test comm_transport_grpc_test comm_transport_attack_test
  privacy_crypto_test privacy_dp_test privacy_pki_test privacy_policy_test privacy_private_sum_test privacy_secagg_test
  coordinator_core_test coordinator_aggregate_test coordinator_service_test coordinator_provision_test
  client_core_test client_service_test client_enroll_test client_site_test
  federation_test secure_federation_test grouped_federation_test lies_test crash_matrix_test)
if(CONSILIUM_SANITIZE)
  add_custom_target(sanitized-tests)
endif()
