"""What deployed Python clients do, over grpc.aio as they do it; run by client.test.ts, which judges the line of JSON."""

import asyncio
import json
import sys

import grpc

address, stubs = sys.argv[1:3]
sys.path.insert(0, stubs)
from orchestrator.v1 import orchestrator_pb2 as messages
from orchestrator.v1 import orchestrator_pb2_grpc as services


async def submit(stub, task_id, payload):
    # Every value goes through str(), so nested ones arrive as Python prints them.
    request = messages.SubmitTaskRequest(
        id=task_id, payload={key: str(value) for key, value in payload.items()}, priority=10, **{"class": "cpu_long"}
    )
    response = await stub.SubmitTask(request)
    return {"success": response.success, "task_id": response.task_id, "error": response.error}


async def status(stub, task_id):
    response = await stub.GetTaskStatus(messages.GetTaskStatusRequest(task_id=task_id))
    return {"status": response.status, "result": dict(response.result), "error": response.error}


async def results(stub, task_ids):
    """Each read may take a second: a longer gap is a timeout for the whole batch."""
    request = messages.StreamTaskResultsRequest(task_ids=task_ids, include_completed=True)
    stream = stub.StreamTaskResults(request).__aiter__()
    last = {}
    while True:
        try:
            message = await asyncio.wait_for(stream.__anext__(), timeout=1.0)
        except StopAsyncIteration:
            return {task_id: last[task_id] for task_id in sorted(last)}
        last[message.task_id] = [message.status, message.completed_at > 0, message.duration_ms >= 0]


async def events(stub, since, last):
    seen = []
    async for event in stub.StreamEvents(messages.StreamEventsRequest(since_timestamp=since)):
        seen.append(f"{event.event_type} {event.resource_id}")
        if seen[-1] == last:
            return seen


async def fault(call):
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return [error.code().name, error.details()]


def pair():
    nodes = [
        {"id": name, "name": name.title(), "type": "signature", "signature": {"prompt": f"{name} it"}}
        for name in ("draft", "polish")
    ]
    return {"name": "Pair", "nodes": nodes, "edges": [{"id": "e", "source": "draft", "target": "polish", "kind": "data"}]}


async def workflow(stub):
    refused = await stub.CreateWorkflow(messages.CreateWorkflowRequest(id="bad", spec=b"{}"))
    spec = json.dumps(pair()).encode()
    created = await stub.CreateWorkflow(messages.CreateWorkflowRequest(id="pair", spec=spec))
    start = messages.StartWorkflowRunRequest(workflow_id="pair", idempotency_key="once", input={"topic": str(["a"])})
    run = await stub.StartWorkflowRun(start)
    again = await stub.StartWorkflowRun(start)
    updates = [update async for update in stub.StreamWorkflowStatus(messages.StreamWorkflowStatusRequest(run_id=run.run_id))]
    last = updates[-1]
    steps = [update.current_step for update in updates if update.current_step]
    return {
        "refused": [refused.success, refused.error],
        "created": [created.success, created.workflow_id, created.error],
        "again": run.success and again.run_id == run.run_id,
        "first": updates[0].status,
        "steps": list(dict.fromkeys(steps)),
        "last": [last.status, last.steps_completed, last.total_steps, dict(last.output), last.error],
        "task": await status(stub, f"{run.run_id}-draft"),
        "unknown": await stream_fault(stub.StreamWorkflowStatus(messages.StreamWorkflowStatusRequest(run_id="nobody"))),
    }


async def stream_fault(stream):
    try:
        async for _ in stream:
            pass
    except grpc.aio.AioRpcError as error:
        return [error.code().name, error.details()]


async def main():
    async with grpc.aio.insecure_channel(address) as channel:
        await asyncio.wait_for(channel.channel_ready(), timeout=10)
        stub = services.OrchestratorServiceStub(channel)
        health = await stub.Health(messages.HealthRequest())
        before = (await stub.GetMetrics(messages.GetMetricsRequest())).timestamp
        config = {"layers": [1, 2.5, None], "shuffle": True, "name": "it's"}
        episode = {"task_type": "episode", "tenant": "gepa", "config": config, "extras_json": json.dumps(config)}
        submitted = [await submit(stub, f"episode-{n}", {**episode, "n": n}) for n in range(3)]
        early = await status(stub, "episode-2")
        nothing = await submit(stub, "nothing", {"prompt": "hello"})
        metrics = await stub.GetMetrics(messages.GetMetricsRequest(metric_names=["tasks_pending", "env_queue_depth"]))
        print(
            json.dumps(
                {
                    "health": [health.healthy, health.version, dict(health.services)],
                    "submitted": submitted,
                    "early": early["status"] in ("pending", "running"),
                    "results": await results(stub, ["episode-0", "episode-1", "episode-2"]),
                    "data": json.loads((await status(stub, "episode-1"))["result"]["data"]),
                    "nothing": [nothing["success"], await status(stub, "nothing")],
                    "events": await events(stub, before, "task_failed nothing"),
                    "unknown": await fault(stub.GetTaskStatus(messages.GetTaskStatusRequest(task_id="nobody"))),
                    "workflow": await workflow(stub),
                    "metrics": sorted(metrics.metrics),
                }
            )
        )


asyncio.run(main())
