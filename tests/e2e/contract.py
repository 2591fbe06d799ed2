"""Holds every answer of the server against its OpenAPI document: an answer which the document does
not tell of, or tells otherwise of, fails the test that got it."""
import functools
import json
import re
import subprocess
import urllib.parse

import jsonschema

# Answers that belong to no operation: unknown paths and methods, and requests refused before they
# are whole. The document's description tells of them.
OUTSIDE = {400, 404, 405, 408, 413, 414, 431, 503}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
DAY = re.compile(r"\d{4}-\d\d-\d\d")

formats = jsonschema.FormatChecker(formats=())
formats.checks("date-time")(lambda value: not isinstance(value, str) or bool(TIME.fullmatch(value)))
formats.checks("date")(lambda value: not isinstance(value, str) or bool(DAY.fullmatch(value)))


def close(schema):
    """The same document with every object closed: to readers it is open, for a later version may
    say more, but what this version says must all be told."""
    if isinstance(schema, list):
        return [close(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: close(value) for key, value in schema.items()}
    if isinstance(closed.get("properties"), dict) and closed.get("type") in ("object", ["object", "null"]):
        closed.setdefault("additionalProperties", False)
    return closed


class Contract:
    def __init__(self, document):
        self.document = document
        self.components = close(document["components"])
        self.paths = sorted(((self.shape(path), path) for path in document["paths"]),
                            key=lambda row: row[0][0])
        self.validators = {}

    @staticmethod
    def shape(path):
        """What sorts the most particular path first, and what it fits."""
        parts = path.split("/")[1:]
        pattern = "".join("/.+" if part == "{path}" else "/[^/]+" if part[0] == "{" else
                          "/" + re.escape(part) for part in parts)
        return [part[0] == "{" for part in parts], re.compile(pattern)

    def resolve(self, part):
        while "$ref" in part:
            *_, kind, name = part["$ref"].split("/")
            part = self.components[kind][name]
        return part

    def find(self, method, target):
        """The operation of a request; None: there is none."""
        path = target.partition("?")[0]
        method = "get" if method == "HEAD" else method.lower()
        for (_, pattern), name in self.paths:
            if pattern.fullmatch(path) and method in self.document["paths"][name]:
                return f"{method} {name}", self.document["paths"][name][method]
        return None

    def validator(self, name, schema):
        if name not in self.validators:
            whole = {**close(schema), "components": self.components}
            self.validators[name] = jsonschema.Draft202012Validator(whole, format_checker=formats)
        return self.validators[name]

    def schema_of(self, name, operation, status, media_type, response_format):
        responses = operation["responses"]
        response = responses.get(str(status)) or responses.get(f"{status // 100}XX")
        if response is None:
            raise AssertionError(f"{name} is not documented to answer {status}")
        formats = self.resolve(response).get("x-response-formats", {})
        if response_format in formats and media_type == "application/json":
            return formats[response_format]
        content = self.resolve(response).get("content")
        if content is None:
            return None
        found = content.get(media_type) or content.get("*/*")
        if found is None:
            raise AssertionError(f"{name} is not documented to answer {status} with {media_type}")
        return found["schema"]

    def check(self, method, target, status, headers, body, beyond=()):
        """`beyond`: names of fields that the account's overrides add to records."""
        media_type = headers.get("content-type", "").partition(";")[0]
        found = self.find(method, target)
        if found is None:
            if status not in OUTSIDE:
                raise AssertionError(f"{method} {target} is not documented, and answered {status}")
            name, schema = "Error", {"$ref": "#/components/schemas/Error"}
        else:
            name, operation = found
            asked = dict(urllib.parse.parse_qsl(target.partition("?")[2]))
            response_format = asked.get("response_format", asked.get("truto_response_format"))
            name = f"{name} {status} {media_type} {response_format or ''}"
            schema = self.schema_of(name, operation, status, media_type, response_format)
        if schema is None or method == "HEAD":
            return
        if media_type == "application/json":
            self.compare(name, schema, without(body, beyond) if beyond else body, method, target)
        elif media_type == "application/x-ndjson":
            # The client has read a single line for what it is: JSON.
            records = [body] if isinstance(body, dict) else map(json.loads, body.splitlines())
            for record in records:
                self.compare(name, schema["contentSchema"], record, method, target)

    def compare(self, name, schema, body, method, target):
        faults = sorted(self.validator(name, schema).iter_errors(body),
                        key=lambda fault: fault.json_path)
        if faults:
            told = "\n".join(f"  {deepest(fault).json_path}: {deepest(fault).message[:400]}"
                             for fault in faults[:5])
            raise AssertionError(f"{method} {target} was answered otherwise than the document "
                                 f"says of {name}:\n{told}")


def without(body, names):
    if isinstance(body, dict) and isinstance(body.get("result"), list):
        return {**body, "result": [without(record, names) for record in body["result"]]}
    return {key: value for key, value in body.items() if key not in names}


def deepest(fault):
    """Of several choices that did not fit the fault of the one that came furthest."""
    while fault.context:
        fault = max(fault.context, key=lambda inner: len(inner.absolute_path))
    return fault


@functools.cache
def contract_of(program):
    done = subprocess.run([program, "openapi"], capture_output=True, text=True, check=True)
    return Contract(json.loads(done.stdout))
