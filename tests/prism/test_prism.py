"""Prism serves each description, passes a right request on to the sandbox's CRM, and refuses wrong ones.

Without Node.js and Prism (./build.sh gets it with npm) only `prepare.py` is tested.
"""

import json
import os
import pathlib
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "sandbox")]

import rig  # noqa: E402
from crm_tokens import FIXED  # noqa: E402
from prepare import operations, prepared  # noqa: E402
from test_crm import Crm, start, stop  # noqa: E402

needs_prism = pytest.mark.skipif(not rig.is_there(), reason="needs node, and Prism in $LEADPIPE_PRISM_MODULES")
OWN = sorted(name for name, (file, _) in rig.OWN.items()
             if (pathlib.Path(os.environ.get("LEADPIPE_OPENAPI", "/nonexistent")) / file).is_file())


class Maker:
    """What is sent to one, right and wrong."""

    def __init__(self, path, good, wrong, credential):
        self.path, self.good, self.wrong, self.credential = path, good, wrong, credential


def hubspot(kind):
    one = {"id": "a@x.example", "idProperty": "email", "objectWriteTraceId": "lead-1",
           "properties": {"firstname": "😀 Ann", "note": "x" * 5000, "phone": ""}}
    wrong = [{"inputs": [{"properties": {}}]}, {"inputs": [{"id": "a"}]}, {"inputs": {}}, {"input": []}, [],
             {"inputs": [{**one, "properties": {"phone": None}}]}, {"inputs": [{**one, "properties": {"amount": 1}}]},
             {"inputs": [{**one, "id": 5}]}]
    return Maker("/crm/v3/objects/%s/batch/upsert" % kind, {"inputs": [one]}, wrong,
                 {"Authorization": "Bearer " + FIXED["hubspot"]})


ZOHO = Maker("/crm/v8/Leads/upsert", {"data": [{"Last_Name": "陈", "Email": "a@x.example", "Phone": None}]},
             [{"data": {}}, {"data": "x"}, [], {"data": ["x"]}, {"data": [], "duplicate_check_fields": "Email"}],
             {"Authorization": "Zoho-oauthtoken %s"})
PERSON = {"name": "Ann", "emails": [{"value": "a@x.example", "primary": True, "label": "work"}], "visible_to": 3}
PIPEDRIVE = Maker("/api/v2/persons", PERSON,
                  [[], {**PERSON, "owner_id": "7"}, {**PERSON, "emails": "a@x.example"}, {**PERSON, "label_ids": ["a"]},
                   {**PERSON, "marketing_status": "yes"}, {**PERSON, "name": None}],
                  {"x-api-token": FIXED["pipedrive"]})
MAKERS = {"hubspot": hubspot("contacts"), "hubspot-contacts": hubspot("contacts"),
          "hubspot-companies": hubspot("companies"), "zoho": ZOHO, "pipedrive": PIPEDRIVE}
# what the reduced descriptions say beyond the makers' own
STRICTER = {
    "hubspot": [{"inputs": []}, {"inputs": MAKERS["hubspot"].good["inputs"] * 101},
                {"inputs": [{"id": "", "properties": {}}]},
                {**MAKERS["hubspot"].good, "more": 1}],
    "zoho": [{"data": []}, {"data": [{"Email": "a@x.example"}]}, {"data": [{"Last_Name": "x" * 81}]},
             {"data": [{"Last_Name": 1}]}, {"data": [{"Last_Name": "x", "Phone": 1}]}],
    "pipedrive": [{}, {**PERSON, "email": "a@x.example"}, {**PERSON, "name": ""},
                  {**PERSON, "phones": [{"number": "1"}]}],
}


def post(url, value, headers):
    request = urllib.request.Request(url, json.dumps(value).encode(), {"Content-Type": "application/json", **headers})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@pytest.fixture(scope="module")
def crm():
    process, info = start()
    client = Crm(info)
    client.account = "prism"
    client.control(key=None)
    yield client
    assert stop(process) == ""


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    return rig.own_descriptions(tmp_path_factory.mktemp("own"))


def credential(maker, crm):
    return {name: value % crm.token("zoho")[1]["access_token"] if "%s" in value else value
            for name, value in maker.credential.items()}


def check(prism, maker, headers, wrong):
    assert post(prism.url + maker.path, maker.good, headers)[0] == 200, prism.log()
    for value in wrong:
        status, body = post(prism.url + maker.path, value, headers)
        assert status == 422, (status, value, body)
    assert post(prism.url + maker.path, maker.good, {})[0] == 401
    assert len(prism.violations()) >= len(wrong)


@needs_prism
@pytest.mark.parametrize("name", sorted(rig.described()))
def test_reduced_descriptions(crm, name):
    """Prism before the CRM: it checks the CRM's answers too, and what it refuses never gets there."""
    maker = MAKERS[name]
    headers, before = credential(maker, crm), crm.told()["requests"]
    with rig.Prism(rig.DESCRIPTIONS / (name + ".json"), crm.info["url"] + "/at/prism") as prism:
        check(prism, maker, headers, maker.wrong + STRICTER[name])
        if name == "hubspot":
            crm.control(faults={"item": {"match": "bad"}})
            failing = {"inputs": [{"id": "bad@x.example", "objectWriteTraceId": "t", "properties": {}}]}
            assert post(prism.url + maker.path, failing, headers)[0] == 207, "what it says of failures fits, too"
            crm.control()
            assert post(prism.url + MAKERS["hubspot-companies"].path, maker.good, headers)[0] == 200
            before += 2
    assert crm.told()["requests"] == before + 1


@needs_prism
@pytest.mark.parametrize("name", OWN)
def test_the_makers_own_descriptions(crm, own, name):
    """By $LEADPIPE_OPENAPI: those cannot be part of this project."""
    with rig.Prism(own[name], crm.info["url"] + "/at/prism") as prism:
        check(prism, MAKERS[name], credential(MAKERS[name], crm),
              [value for value in MAKERS[name].wrong if name != "pipedrive" or value != []])
    with rig.Prism(own[name]) as prism:
        assert post(prism.url + MAKERS[name].path, MAKERS[name].good, MAKERS[name].credential)[0] == 200


def test_the_rig_says_why_prism_does_not_start(tmp_path):
    if not rig.is_there():
        pytest.skip("needs node and Prism")
    with pytest.raises(RuntimeError, match="did not start"):
        rig.Prism(tmp_path / "nothing.json")


# --- prepare.py ---

AS_PUBLISHED = {
    "openapi": "3.0.1", "servers": [{"url": "https://api.example.com/api/v2/"}], "paths": {
        "/things": {"post": {
            "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}, "example": None}}},
            "responses": {"200": {"content": {"application/json": {"schema": {"oneOf": [{"type": "object"}, {}]}}}},
                          "default": {"content": {"*/*": {"schema": {"type": "object"}, "example": None}}}}}},
        "/others": {"get": {"responses": {}}}},
    "components": {
        "schemas": {"Thing": {"type": "object", "example": None, "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
                              "properties": {
            "example": {"type": "string", "example": "kept"},
            "user": {"$ref": "https://elsewhere.example/users.json#/User"}}}},
        "securitySchemes": {"elsewhere": {"$ref": "https://elsewhere.example/common.json#/x"},
                            "here": {"type": "http", "scheme": "bearer"}}}}


def test_prepared():
    before = json.dumps(AS_PUBLISHED)
    made = prepared(AS_PUBLISHED, ["things$"])
    assert json.dumps(AS_PUBLISHED) == before, "what is given is left alone"
    assert operations(made) == [("post", "/api/v2/things")]
    post_ = made["paths"]["/api/v2/things"]["post"]
    assert post_["requestBody"]["content"]["application/json"] == {"schema": {"$ref": "#/components/schemas/Thing"}}
    assert post_["responses"]["default"]["content"] == {"application/json": {"schema": {"type": "object"}}}
    assert post_["responses"]["200"]["content"]["application/json"]["schema"] == {"anyOf": [{"type": "object"}, {}]}
    thing = made["components"]["schemas"]["Thing"]
    assert thing == {"type": "object", "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
                     "properties": {"example": {"type": "string", "example": "kept"}, "user": {}}}
    assert made["components"]["securitySchemes"] == {
        "elsewhere": {"type": "apiKey", "in": "header", "name": "Authorization"},
        "here": {"type": "http", "scheme": "bearer"}}
    assert prepared(made) == {**made, "servers": [{"url": "http://127.0.0.1"}]}
    with pytest.raises(ValueError, match="no path"):
        prepared(AS_PUBLISHED, ["nothing"])


def test_the_script(tmp_path):
    (tmp_path / "in.json").write_text(json.dumps(AS_PUBLISHED))
    words = [sys.executable, str(HERE / "prepare.py"), str(tmp_path / "in.json"), str(tmp_path / "out.json")]
    subprocess.run(words, check=True, timeout=60)
    assert json.loads((tmp_path / "out.json").read_text()) == prepared(AS_PUBLISHED)
    (tmp_path / "in.json").write_text("{")
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "in.json" in done.stderr


@pytest.mark.parametrize("name", sorted(rig.described()))
def test_our_descriptions_need_no_preparing(name):
    description = json.loads((rig.DESCRIPTIONS / (name + ".json")).read_text("utf-8"))
    assert operations(prepared(description)) == operations(description)
    assert "Not %s own file" % {"hubspot": "HubSpot's", "zoho": "Zoho's", "pipedrive": "Pipedrive's"}[name] in \
        description["info"]["description"]
