"""What deployed Python clients do, over grpc.aio as they do it; run by client.test.ts, which judges the line of JSON."""

import asyncio
import json
import sys

import grpc

address, stubs = sys.argv[1:3]
sys.path.insert(0, stubs)
from env_manager.v1 import env_manager_pb2 as messages
from env_manager.v1 import env_manager_pb2_grpc as services


async def start(stub, **request):
    updates = []
    try:
        async for update in stub.StartServices(messages.StartServicesRequest(**request)):
            updates.append([update.service_name, update.status, update.progress])
        return {"updates": updates, "end": "OK"}
    except grpc.aio.AioRpcError as error:
        return {"updates": updates, "end": error.code().name, "details": error.details()}


async def fault(call):
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return [error.code().name, error.details()]


async def first(stream, count):
    seen = []
    async for message in stream:
        seen.append(message)
        if len(seen) == count:
            break
    stream.cancel()
    return seen


async def logs(stub, **request):
    return [[line.stream, line.message, line.timestamp] async for line in stub.StreamLogs(messages.StreamLogsRequest(**request))]


async def stream_fault(stream):
    try:
        async for _ in stream:
            pass
    except grpc.aio.AioRpcError as error:
        return error.code().name


async def main():
    async with grpc.aio.insecure_channel(address) as channel:
        await asyncio.wait_for(channel.channel_ready(), timeout=10)
        stub = services.EnvManagerServiceStub(channel)
        started = await start(stub, service_names=["redis", "reddb"], parallel=True)
        status = (await stub.GetServicesStatus(messages.GetServicesStatusRequest(), timeout=5)).services
        one = await stub.GetServiceStatus(messages.GetServiceStatusRequest(service_name="redis"))
        health = await first(stub.StreamHealth(messages.StreamHealthRequest(service_names=["redis"], interval_seconds=1)), 2)
        room = await stub.GetResourceAvailability(messages.GetResourceAvailabilityRequest(workload_class="cpu_short"))
        task = messages.ExecuteTaskRequest(
            task_id="t-1", workload_class="cpu_short", payload={"execution": str({"image": "a", "command": ["b"]})}
        )
        done = await stub.ExecuteTask(task)
        pulls = [
            [pull.image_name, pull.status, pull.progress_percent]
            async for pull in stub.PullImages(messages.PullImagesRequest(image_names=["redis:7-alpine"]))
        ]
        restarted = await stub.RestartService(messages.RestartServiceRequest(service_name="redis", timeout_seconds=5))
        nobody = await stub.RestartService(messages.RestartServiceRequest(service_name="nobody"))
        stopped = await stub.StopServices(messages.StopServicesRequest(timeout_seconds=30), timeout=30)
        print(
            json.dumps(
                {
                    "started": started,
                    "status": {name: one.status for name, one in status.items()},
                    "one": [one.name, one.status, list(one.ports), dict(one.health_checks), one.started_at],
                    "health": [[update.service_name, update.healthy, update.message] for update in health],
                    "room": [room.available, room.capacity, room.in_use, room.hardware.cpu_cores],
                    "task": [done.success, done.error, sorted(done.result), done.latency_ms > 0],
                    "pulls": pulls,
                    "logs": await logs(stub, service_name="redis", tail=10),
                    "unnamed": await stream_fault(stub.StreamLogs(messages.StreamLogsRequest())),
                    "restarted": [restarted.success, nobody.success, nobody.message],
                    "stopped": [stopped.success, dict(stopped.service_results)],
                    "unknown": await fault(stub.GetServiceStatus(messages.GetServiceStatusRequest(service_name="nobody"))),
                    "failed": await start(stub, service_names=["prometheus", "ollama"], overrides={"prometheus.required": "true"}),
                }
            )
        )


asyncio.run(main())
