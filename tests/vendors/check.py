"""Clients of vendors that others wrote drive the doubles of `tenfold dev-esp`: what they expect of the
vendors, the doubles have to do. pyeloqua, sendgrid, mailchimp-marketing and listmonk.

Usage: check.py TENFOLD_BINARY

`.ci/run` makes the environment; by hand: python3 -m venv DIR, pip install -r requirements.txt.
"""

import http.server
import json
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from urllib.parse import parse_qs

import listmonk
import mailchimp_marketing
import requests
import sendgrid
from mailchimp_marketing.api_client import ApiClientError
from pyeloqua import Bulk
from python_http_client.exceptions import HTTPError
from sendgrid.helpers.eventwebhook import EventWebhook


class Doubles:
    """The process, and its paths of its own."""

    def __init__(self, binary):
        self.process = subprocess.Popen(
            [binary, "dev-esp", "--listen", "127.0.0.1:0"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if "listening on " in line:
                self.base = line.split("listening on ")[1].split(";")[0]
                break
        else:
            raise SystemExit("tenfold dev-esp did not start")

    def ask(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(self.base + path, data)) as answer:
            return json.loads(answer.read() or "null")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(10)


class Receiver(http.server.BaseHTTPRequestHandler):
    """Keeps what is posted."""

    posts = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.posts.append((dict(self.headers), body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def eloqua(doubles):
    """pyeloqua has the vendor's address in its code: it is sent to the double in its place."""
    ask = requests.get

    def here(url, **options):
        return ask(url.replace("https://login.eloqua.com", doubles.base + "/eloqua"), **options)

    requests.get = here
    try:
        Bulk(username="api", password="wrong", company="Tenfold")
        raise AssertionError("a wrong password was taken")
    except ValueError as error:
        assert "Invalid login" in str(error)
    bulk = Bulk(username="api", password="double", company="Tenfold")
    assert bulk.site_id == 1234 and "/API/Bulk/2.0/" in bulk.bulk_base

    bulk.imports("contacts")
    bulk.add_fields(["Email Address", "C_CLV_12M1"])
    bulk.add_options(identifierFieldName="C_EmailAddress", dataRetentionDuration="P7D")
    bulk.add_syncaction_list("add", list_name="Tenfold")
    bulk.create_def("from pyeloqua")
    bulk.post_data([{"C_EmailAddress": "ann@x.test", "C_CLV_12M1": "12.5"},
                    {"C_EmailAddress": "bob@x.test", "C_CLV_12M1": "much"},
                    {"C_EmailAddress": "nobody", "C_CLV_12M1": "1"}])
    assert bulk.sync(sleeptime=0) == "warning"
    codes = {log["statusCode"]: log["count"] for log in bulk.get_sync_logs()}
    assert codes["ELQ-00001"] == 3 and codes["ELQ-00004"] == 1 and codes["ELQ-00060"] == 2, codes
    rejects = {r["recordIndex"]: r["statusCode"] for r in bulk.get_sync_rejects()}
    assert rejects == {2: "ELQ-00032", 3: "ELQ-00002"}, rejects

    bulk.reset()
    bulk.exports("contacts")
    bulk.add_fields(["C_EmailAddress", "CLV 12M"])
    bulk.asset_exists("lists", name="Tenfold")
    bulk.create_def("who is on the list")
    assert bulk.sync(sleeptime=0) == "success"
    assert bulk.get_export_data() == [{"C_EmailAddress": "ann@x.test", "C_CLV_12M1": "12.5"}]
    assert bulk.get_export_count() == 1

    doubles.ask("/__send", {"vendor": "eloqua", "list": "Tenfold", "campaign": "c",
                            "rates": {"open": 1, "click": 1, "bounce": 0, "unsubscribe": 0, "machine": 0}})
    bulk.reset()
    bulk.exports("activities", act_type="EmailOpen")
    bulk.add_fields(["ActivityId", "EmailAddress", "ActivityDate"])
    bulk.filter_date("ActivityDate", start="2020-01-01 00:00:00")
    bulk.create_def("opens")
    assert bulk.sync(sleeptime=0) == "success"
    opens = bulk.get_export_data()
    assert [o["EmailAddress"] for o in opens] == ["ann@x.test"], opens
    # Every field that the client knows of a type is one of that type.
    for kind in ["EmailOpen", "EmailClickthrough", "EmailSend", "Bounceback", "Subscribe", "Unsubscribe",
                 "FormSubmit", "PageView", "WebVisit"]:
        bulk.reset()
        bulk.exports("activities", act_type=kind)
        bulk.add_fields()
        bulk.create_def("all fields")
        assert bulk.sync(sleeptime=0) == "success"
        rows = bulk.get_export_data()
        happened = 1 if kind in ("EmailSend", "EmailOpen", "EmailClickthrough") else 0
        assert [row["ActivityType"] for row in rows] == [kind] * happened, rows


def poll(client, job):
    for _ in range(10):
        state = json.loads(client.marketing.contacts.imports._(job).get().body)
        if state["status"] != "pending":
            return state
    raise AssertionError("the job does not end")


def twilio(doubles, url, posts):
    client = sendgrid.SendGridAPIClient("SG.wrong", host=doubles.base + "/sendgrid").client
    try:
        client.marketing.lists.get()
        raise AssertionError("a wrong key was taken")
    except HTTPError as error:
        assert error.status_code == 401
    client = sendgrid.SendGridAPIClient("SG.double", host=doubles.base + "/sendgrid").client
    made = json.loads(client.marketing.lists.post(request_body={"name": "from sendgrid"}).body)
    fields = json.loads(client.marketing.field_definitions.get().body)
    ids = {field["name"]: field["id"] for field in fields["custom_fields"]}
    contacts = [{"email": "Ann@x.test", "first_name": "Ann", "custom_fields": {ids["clv_12m"]: 12.5}},
                {"email": "nobody"}]
    put = client.marketing.contacts.put(request_body={"list_ids": [made["id"]], "contacts": contacts})
    assert put.status_code == 202
    search = {"emails": ["ann@x.test"]}
    try:
        client.marketing.contacts.search.emails.post(request_body=search)
        raise AssertionError("a contact was there before its job was done")
    except HTTPError as error:
        assert error.status_code == 404
    state = poll(client, json.loads(put.body)["job_id"])
    results = state["results"]
    assert state["status"] == "errored" and results["created_count"] == 1, state
    with urllib.request.urlopen(results["errors_url"]) as report:
        assert b"nobody" in report.read()
    found = json.loads(client.marketing.contacts.search.emails.post(request_body=search).body)
    contact = found["result"]["ann@x.test"]["contact"]
    assert contact["custom_fields"]["clv_12m"] == 12.5

    doubles.ask("/__send", {"vendor": "sendgrid", "list": "from sendgrid", "campaign": "c", "to": url,
                            "rates": {"open": 1, "bounce": 0}})
    headers, body = posts.pop()
    hook = EventWebhook()
    key = hook.convert_public_key_to_ecdsa(doubles.ask("/__inspect")["sendgrid"]["webhook_public_key"])
    signature = headers["x-twilio-email-event-webhook-signature"]
    timestamp = headers["x-twilio-email-event-webhook-timestamp"]
    assert hook.verify_signature(body.decode(), signature, timestamp, key)
    assert not hook.verify_signature(body.decode() + " ", signature, timestamp, key)
    assert {event["event"] for event in json.loads(body)} >= {"delivered", "open"}

    gone = client.marketing.lists._(made["id"]).contacts.delete(query_params={"contact_ids": contact["id"]})
    assert poll(client, json.loads(gone.body)["job_id"])["status"] == "completed"
    count = json.loads(client.marketing.lists._(made["id"]).get().body)["contact_count"]
    assert count == 0


def chimp(doubles, url, posts):
    def client(key):
        made = mailchimp_marketing.Client({"api_key": key})
        for holder in [made, *vars(made).values()]:
            api = getattr(holder, "api_client", holder)
            if hasattr(api, "host"):
                api.host = doubles.base + "/mailchimp/3.0"
        return made

    try:
        client("wrong-us1").ping.get()
        raise AssertionError("a wrong key was taken")
    except ApiClientError as error:
        assert error.status_code == 401
    made = client("double-us1")
    assert "Chimpy" in made.ping.get()["health_status"]
    audience = made.lists.get_all_lists()["lists"][0]["id"]
    members = [{"email_address": "ann@x.test", "status": "subscribed", "tags": ["a"],
                "merge_fields": {"CLV12M": 12.5}},
               {"email_address": "nobody", "status": "subscribed"}]
    told = made.lists.batch_list_members(audience, {"members": members, "update_existing": False})
    assert told["total_created"] == 1 and told["errors"][0]["error_code"] == "ERROR_GENERIC", told
    again = made.lists.batch_list_members(audience, {"members": members[:1], "update_existing": False})
    assert again["errors"][0]["error_code"] == "ERROR_CONTACT_EXISTS", again
    try:
        made.lists.batch_list_members(audience, {"members": members * 251})
        raise AssertionError("502 members were taken")
    except ApiClientError as error:
        assert error.status_code == 400
    hash = told["new_members"][0]["id"]
    made.lists.set_list_member(audience, hash, {"email_address": "ann@x.test", "status_if_new": "subscribed",
                                                "merge_fields": {"FNAME": "Ann"}})
    made.lists.update_list_member_tags(audience, hash, {"tags": [{"name": "b", "status": "active"},
                                                                 {"name": "a", "status": "inactive"}]})
    tags = made.lists.get_list_member_tags(audience, hash)["tags"]
    assert [tag["name"] for tag in tags] == ["b"], tags
    operations = [{"method": "GET", "path": f"/lists/{audience}/members/{hash}", "operation_id": "one"}]
    batch = made.batches.start({"operations": operations})
    states = [made.batches.status(batch["id"])["status"] for _ in range(4)]
    assert states == ["preprocessing", "started", "finalizing", "finished"], states

    doubles.ask("/__send", {"vendor": "mailchimp", "list": audience, "campaign": "c", "to": url,
                            "rates": {"open": 1, "click": 0, "bounce": 0, "unsubscribe": 1}})
    _, body = posts.pop()
    assert parse_qs(body.decode())["type"] == ["unsubscribe"]
    activity = made.reports.get_email_activity_for_campaign("c")["emails"][0]["activity"]
    assert activity[0]["action"] == "open", activity
    try:
        made.lists.set_list_member(audience, hash, {"email_address": "ann@x.test", "status": "subscribed"})
        raise AssertionError("somebody who left was subscribed again")
    except ApiClientError as error:
        assert "Compliance" in error.text
    made.lists.delete_list_member(audience, hash)
    assert made.lists.get_list_members_info(audience)["members"] == []


def monk(doubles):
    listmonk.set_url_base(doubles.base + "/listmonk")
    assert not listmonk.login("api_user", "wrong")
    assert listmonk.login("api_user", "double")
    assert listmonk.is_healthy()
    lists = listmonk.lists()
    assert [held.name for held in lists] == ["Tenfold"]
    ann = listmonk.create_subscriber("ann@x.test", "Ann", {lists[0].id}, True, {"decile": 3})
    found = listmonk.subscriber_by_email("ann@x.test")
    assert found.id == ann.id and found.attribs == {"decile": 3}
    assert found.lists[0]["subscription_status"] == "confirmed"
    assert [one.id for one in listmonk.subscribers("subscribers.attribs->>'decile' = '3'")] == [ann.id]
    found.attribs["decile"] = 4
    changed = listmonk.update_subscriber(found, remove_from_lists={lists[0].id})
    assert changed.attribs == {"decile": 4} and changed.lists == []
    assert listmonk.add_subscribers_to_lists([ann.id], [lists[0].id])
    assert listmonk.subscriber_by_id(ann.id).lists
    assert listmonk.delete_subscriber("ann@x.test")
    assert listmonk.subscribers() == []


def main():
    receiver = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{receiver.server_port}/"
    with Doubles(sys.argv[1]) as doubles:
        eloqua(doubles)
        print("pyeloqua understands the double of Eloqua")
        twilio(doubles, url, Receiver.posts)
        print("sendgrid understands the double of SendGrid, and trusts its events")
        chimp(doubles, url, Receiver.posts)
        print("mailchimp-marketing understands the double of Mailchimp")
        monk(doubles)
        print("listmonk's client understands the double of listmonk")


if __name__ == "__main__":
    main()
