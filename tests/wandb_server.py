"""A W&B server in memory, as far as runs, their histories and records go: what the client of wandb 0.31 asks for.

Like the real one it appends rows at the offset that a client gives, drops none, and tells a client that resumes a run
how many there are and what the last one was. It shows what was sent, which W&B's own client does not.
"""

import gzip
import json
import re
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "a" * 40
PROJECT = {"id": "p", "internalId": "1", "name": "rethink", "entity": {"id": "e", "name": "me"}}


class Server(ThreadingHTTPServer):
    """The server, its `runs` by id, and a count of the `operations` that were asked for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.runs: dict[str, dict[str, Any]] = {}
        self.artifacts: list[dict[str, Any]] = []
        self.operations: Counter[str] = Counter()
        self.full: set[str] = set()
        """Runs whose rows are refused, as where a quota is full."""
        self.url = f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> "Server":
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients close connections as they like."""

    def steps(self, run_id: str) -> list[int]:
        """The optimizer steps of a run's rows."""
        return [row["_step"] for row in self.runs[run_id]["history"]]

    def config(self, run_id: str) -> dict[str, Any]:
        """The configuration of a run."""
        return {name: item["value"] for name, item in json.loads(self.runs[run_id]["config"]).items()}

    def stream(self, run_id: str, files: dict[str, Any]) -> int:
        """Takes rows and a summary in; returns the HTTP status."""
        run = self.runs[run_id]
        if run_id in self.full:
            return 403
        for name, part in files.items():
            if name == "wandb-history.jsonl":
                run["history"][part["offset"] :] = map(json.loads, part["content"])
            elif name == "wandb-summary.json":
                run["summary"] = json.loads(part["content"][-1])
        return 200

    def graphql(self, operation: str, query: str, given: dict[str, Any]) -> dict[str, Any]:
        """Answers a query."""
        self.operations[operation] += 1
        run = self.runs.get(given.get("name") or "")
        viewer = {"viewer": {"id": "u", "entity": "me", "username": "me", "flags": "{}", "teams": {"edges": []}}}
        match operation:
            case "Viewer" | "GetDefaultEntity":
                return viewer
            case "ServerFeaturesQuery":
                return {"serverInfo": {"features": []}}
            case "RunResumeStatus":
                return {"model": PROJECT | {"bucket": self._resumed(given["name"], run)} if run else None}
            case "UpsertBucket":
                return {"upsertBucket": {"bucket": self._upsert(given), "inserted": run is None}}
            case "Run":
                return {"project": PROJECT | {"run": self._public(given["name"], run)}}
            case "RunHistoryKeys":
                last = max(self.steps(given["name"]), default=-1)
                return {"project": {"run": {"historyKeys": {"lastStep": last, "sets": [], "keys": {}}}}}
            case "CreateRunFiles":
                files = [{"name": name, "uploadUrl": f"{self.url}/upload"} for name in given["files"]]
                return {"createRunFiles": {"runID": "r", "uploadHeaders": [], "files": files}}
        return self._artifact(operation, given)

    def _resumed(self, run_id: str, run: dict[str, Any]) -> dict[str, Any]:
        telemetry = json.loads(run["config"]).get("_wandb", {}).get("value", {}).get("t")
        return {
            "id": f"b{run_id}",
            "name": run_id,
            "displayName": run["displayName"],
            "tags": run["tags"],
            "summaryMetrics": json.dumps(run["summary"]),
            "config": run["config"],
            "historyLineCount": len(run["history"]),
            "eventsLineCount": 0,
            "logLineCount": 0,
            "eventsTail": "[]",
            "historyTail": json.dumps([json.dumps(row) for row in run["history"][-1:]]),
            "wandbConfig": json.dumps({"t": telemetry}),  # without it the client takes the run for a new one
        }

    def _upsert(self, given: dict[str, Any]) -> dict[str, Any]:
        name = given["name"] or given["id"]
        new = {"history": [], "summary": {}, "tags": [], "config": "{}", "displayName": name, "group": None}
        run = self.runs.setdefault(name, new)
        fields = {"config": "config", "tags": "tags", "displayName": "displayName", "groupName": "group"}
        for field, key in (fields | {"jobType": "jobType"}).items():
            if given.get(field) is not None:
                run[key] = given[field]
        known = {"id": f"b{name}", "name": name, "displayName": run["displayName"], "config": run["config"]}
        lines = {"historyLineCount": len(run["history"]), "sweepName": None, "description": ""}
        return known | lines | {"project": PROJECT}

    def _public(self, run_id: str, run: dict[str, Any] | None) -> dict[str, Any] | None:
        if run is None:
            return None
        empty = dict.fromkeys(("commit", "historyKeys", "sweepName"))
        dates = dict.fromkeys(("createdAt", "heartbeatAt"), "2026-01-01T00:00:00")
        about = {"id": f"b{run_id}", "name": run_id, "state": "finished", "readOnly": False, "projectId": "1"}
        texts = {"description": "", "notes": "", "systemMetrics": "{}", "user": {"name": "me", "username": "me"}}
        metrics = {"summaryMetrics": json.dumps(run["summary"]), "historyLineCount": len(run["history"])}
        kept = {key: run.get(key) for key in ("tags", "displayName", "config", "group", "jobType")}
        return empty | dates | about | texts | metrics | kept

    def _artifact(self, operation: str, given: dict[str, Any]) -> dict[str, Any]:
        upload = {"uploadUrl": f"{self.url}/upload", "uploadHeaders": []}
        file = {"id": "f", "name": "manifest", "displayName": "manifest"} | upload
        match operation:
            case "ArtifactType":
                return {"project": {"artifact": None}}
            case "CreateArtifact":
                self.artifacts.append(given["input"])
                sequence = {"id": "s", "latestArtifact": None}
                return {"createArtifact": {"artifact": {"id": "A", "state": "PENDING", "artifactSequence": sequence}}}
            case "CreateArtifactManifest":
                return {"createArtifactManifest": {"artifactManifest": {"id": "m", "file": file}}}
            case "CreateArtifactFiles":
                names = [item["name"] for item in given["input"]["artifactFiles"]]
                more = {"uploadMultipartUrls": None, "artifact": {"id": "A"}}
                nodes = [{"id": n, "name": n, "displayName": n, "storagePath": n} | upload | more for n in names]
                return {"createArtifactFiles": {"files": {"edges": [{"node": node} for node in nodes]}}}
            case "CommitArtifact":
                return {"commitArtifact": {"artifact": {"id": "A", "digest": "d"}}}
            case "ArtifactByID":
                kind, sequence = {"name": "record"}, {"__typename": "ArtifactSequence", "name": "r", "project": PROJECT}
                about = {"__typename": "Artifact", "id": "A", "artifactSequence": sequence, "artifactType": kind}
                state = {"state": "COMMITTED", "size": 1, "digest": "d", "commitHash": "c", "fileCount": 2}
                texts = {"description": "", "metadata": "{}", "tags": [], "aliases": [], "versionIndex": 0}
                times = {"createdAt": "2026-01-01T00:00:00", "updatedAt": None, "historyStep": 0}
                return {"artifact": about | state | texts | times | {"ttlDurationSeconds": -2, "ttlIsInherited": True}}
        return {}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *args: object) -> None:
        """Says nothing."""

    def do_PUT(self) -> None:
        self._body()
        self._reply({})

    def do_POST(self) -> None:
        body = self._body()
        if self.path.endswith("/graphql"):
            asked = json.loads(body)
            found = re.search(r"(?:query|mutation)\s+(\w+)", asked["query"])
            operation = found[1] if found else ""
            self._reply({"data": self.server.graphql(operation, asked["query"], asked.get("variables") or {})})
        elif stream := re.fullmatch(r"/files/[^/]+/[^/]+/([^/]+)/file_stream", self.path):
            sent = json.loads(body)
            self._reply({}, self.server.stream(stream[1], sent.get("files") or {}))
        else:
            self._reply({})

    def _body(self) -> bytes:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        return gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body

    def _reply(self, content: dict[str, Any], status: int = 200) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
