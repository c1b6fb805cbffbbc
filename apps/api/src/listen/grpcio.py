"""An unmodified grpcio client without TLS: one line of JSON per check, run by grpcio.test.ts."""

import json
import sys
import time

import grpc

address, stubs = sys.argv[1:3]
sys.path.insert(0, stubs)
from orchestrator.v1 import orchestrator_pb2 as messages
from orchestrator.v1 import orchestrator_pb2_grpc as services

channel = grpc.insecure_channel(address)
stub = services.OrchestratorServiceStub(channel)


def unary():
    reply = stub.SubmitTask(messages.SubmitTaskRequest(id="t1", payload={"echo": "hi"}))
    return {"success": reply.success, "task_id": reply.task_id, "error": reply.error}


def stream():
    request = messages.StreamTaskResultsRequest(task_ids=["a", "b"], include_completed=True)
    return [result.task_id for result in stub.StreamTaskResults(request)]


def metadata():
    _, call = stub.Health.with_call(messages.HealthRequest(), metadata=[("x-tenant", "acme"), ("x-request-id", "mine")])
    return {**dict(call.initial_metadata()), **dict(call.trailing_metadata())}


def deadline():
    started = time.monotonic()
    try:
        stub.SubmitTask(messages.SubmitTaskRequest(id="slow"), timeout=0.2)
    except grpc.RpcError as error:
        return {"code": error.code().name, "within_2s": time.monotonic() - started < 2}


def cancel():
    call = stub.StreamEvents(messages.StreamEventsRequest())
    first = next(call).event_type
    call.cancel()
    try:
        next(call)
    except grpc.RpcError as error:
        return {"first": first, "code": error.code().name}


def details():
    try:
        stub.SubmitTask(messages.SubmitTaskRequest(id="wrong"))
    except grpc.RpcError as error:
        trailers = dict(error.trailing_metadata())
        text = trailers["grpc-status-details-bin"].decode("latin-1")
        return {"code": error.code().name, "details": error.details(), "names": [word for word in ("google.rpc.BadRequest", "payload.image") if word in text]}


def missing():
    try:
        channel.unary_unary("/orchestrator.v1.OrchestratorService/NoSuchMethod")(b"")
    except grpc.RpcError as error:
        return error.code().name


def gzip():
    call = stub.SubmitTask(messages.SubmitTaskRequest(id="z", payload={"echo": "x" * 20000}), compression=grpc.Compression.Gzip)
    return len(call.error)


def oversize():
    try:
        stub.SubmitTask(messages.SubmitTaskRequest(id="o", payload={"echo": "x" * 200000}))
    except grpc.RpcError as error:
        return {"code": error.code().name, "after": unary()["success"]}


def thousand():
    return sum(call.result().success for call in [stub.SubmitTask.future(messages.SubmitTaskRequest(id=str(n))) for n in range(1000)])


checks = [unary, stream, metadata, deadline, cancel, details, missing, gzip, oversize, thousand]
print(json.dumps({check.__name__: check() for check in checks}))
