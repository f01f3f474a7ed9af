"""The web application over real HTTP: what it answers, whom, and how it refuses."""

import json
import threading

import openai
import pytest

from tests.raytuner.serving.probes import Echo, serving, until

SECRET = "correct horse battery staple"


@pytest.fixture(scope="module")
def server():
    with serving(max_body=4096) as running:
        yield running


def client_of(running, key="none"):
    return openai.OpenAI(base_url=f"{running.url}/v1", api_key=key, max_retries=0, timeout=60)


def ask(client, text, **more):
    messages = [{"role": "user", "content": text}]
    return client.chat.completions.create(model="study", messages=messages, **more)


class TestAnswers:
    def test_a_question_gets_answer_passages_and_usage(self, server):
        status, found = server.ask("why?")
        assert status == 200
        assert found["answer"] == "echo why?"
        assert [passage["start"] for passage in found["passages"]] == [0, 1]
        assert found["usage"] == {"input_tokens": 7, "output_tokens": 5, "usd": 0.25}
        assert "label" not in found
        assert server.ask("LONG")[1]["label"] == "truncated"

    def test_top_k_cuts_what_is_shown(self, server):
        assert len(server.ask("why?", top_k=1)[1]["passages"]) == 1
        assert len(server.ask("why?", top_k=9)[1]["passages"]) == 2

    def test_what_is_served_can_be_read(self, server):
        for path in ("/", "/config", "/config?x=1"):
            status, headers, body = server.send("GET", path)
            assert (status, json.loads(body)) == (200, {"study": "study"})
            assert headers["Cache-Control"] == "no-store"
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Server"] is None
        assert server.send("HEAD", "/")[2] == b""

    def test_text_that_utf_8_cannot_say_is_an_answer_too(self):
        class Odd(Echo):
            def _one(self, text):
                return super()._one(text)._replace(answer="\ud800 \0 é")

        with serving(Odd()) as running:
            assert running.ask("why?")[1]["answer"] == "\ud800 \0 é"


class TestOpenAI:
    def test_a_real_client_is_answered(self, server):
        answer = ask(client_of(server), "why?", temperature=0.7, max_tokens=9, user="u")
        assert answer.choices[0].message.content == "echo why?"
        assert answer.choices[0].finish_reason == "stop"
        assert answer.usage.total_tokens == 12
        assert answer.model == "study"
        assert answer.model_extra["passages"][0]["document"] == "a.md"
        assert ask(client_of(server), "LONG").choices[0].finish_reason == "length"

    def test_the_last_message_is_the_question(self, server):
        messages = [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "one"},
            {"role": "assistant", "content": "two"},
            {"role": "user", "content": [{"type": "text", "text": t} for t in "ab"]},
        ]
        client = client_of(server)
        answer = client.chat.completions.create(model="raytuner", messages=messages)
        assert answer.choices[0].message.content == "echo a\nb"
        assert server.answerer.histories[-1] == (("user", "one"), ("assistant", "two"))

    @pytest.mark.parametrize("role", ["system", "assistant", "tool"])
    def test_nobody_but_a_user_asks(self, server, role):
        said = [{"role": "user", "content": "one"}, {"role": role, "content": "two"}]
        body = {"model": "study", "messages": said, "fields": {"a": "b"}}
        status, found = server.post("/v1/chat/completions", body)
        assert status == 400
        assert found["error"]["param"] == "messages"

    def test_a_stream_is_the_same_answer(self, server):
        question = "x" * 1000
        stream = list(
            ask(client_of(server), question, stream=True, stream_options={"include_usage": True})
        )
        text = "".join(c.choices[0].delta.content or "" for c in stream if c.choices)
        assert text == f"echo {question}"
        assert [c.choices[0].finish_reason for c in stream if c.choices][-1] == "stop"
        assert stream[-1].usage.total_tokens == 12
        assert len({c.id for c in stream}) == 1
        assert all(c.usage is None for c in ask(client_of(server), "a", stream=True))

    async def test_an_asynchronous_client_is_answered(self, server):
        client = openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="x", max_retries=0)
        async with client:
            answer = await client.chat.completions.create(
                model="study", messages=[{"role": "user", "content": "why?"}]
            )
        assert answer.choices[0].message.content == "echo why?"

    def test_models_are_listed(self, server):
        client = client_of(server)
        assert [model.id for model in client.models.list()] == ["study"]
        assert client.models.retrieve("study").owned_by == "raytuner"

    @pytest.mark.parametrize(
        ("more", "field"),
        [
            ({"n": 2}, "n"),
            ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
            ({"response_format": {"type": "json_object"}}, "response_format"),
            ({"logprobs": True}, "logprobs"),
        ],
    )
    def test_what_is_not_supported_is_said(self, server, more, field):
        with pytest.raises(openai.BadRequestError) as caught:
            ask(client_of(server), "why?", **more)
        assert caught.value.param == field
        assert caught.value.type == "invalid_request_error"

    def test_errors_are_the_client_s_own(self, server):
        client = client_of(server)
        with pytest.raises(openai.NotFoundError) as caught:
            client.chat.completions.create(
                model="other", messages=[{"role": "user", "content": "a"}]
            )
        assert caught.value.code == "model_not_found"
        with pytest.raises(openai.BadRequestError, match="REFUSE"):
            ask(client, "REFUSE")
        with pytest.raises(openai.InternalServerError) as caught:
            ask(client, "RATE", stream=True)
        assert (caught.value.status_code, caught.value.code) == (503, "overloaded")


class TestErrors:
    @pytest.mark.parametrize(
        ("question", "status", "code"),
        [
            ("REFUSE", 400, None),
            ("RATE", 503, "overloaded"),
            ("LATE", 504, "timeout"),
            ("LOST", 500, "failed"),
            ("DOWN", 502, "provider"),
            ("CONFIG", 500, None),
            ("BREAK", 500, None),
        ],
    )
    def test_a_failure_has_its_status_and_tells_no_more(
        self, server, capsys, question, status, code
    ):
        found, body = server.ask(question)
        assert (found, body["error"]["code"]) == (status, code)
        assert set(body["error"]) == {"message", "type", "param", "code"}
        for hidden in ("secret", "sk-", "Traceback", "Zero", "OPENAI", "user:pass"):
            assert hidden not in json.dumps(body)
        logged = capsys.readouterr().err
        assert (logged == "") == (status == 400)
        assert "sk-0123" not in logged
        assert "user:pass" not in logged
        assert "Traceback" not in logged

    def test_one_that_breaks_does_not_break_others(self):
        answerer = Echo()
        with serving(answerer, concurrency=8, waiting=8) as running:
            found = {}

            def post(text):
                found[text] = running.ask(text)[0]

            first = threading.Thread(target=post, args=("HOLD",))
            first.start()
            threads = [
                threading.Thread(target=post, args=(t,)) for t in ("a", "BREAK", "b", "DOWN")
            ]
            for thread in threads:
                thread.start()
            answerer.release.set()
            for thread in [first, *threads]:
                thread.join()
        assert found == {"HOLD": 200, "a": 200, "b": 200, "BREAK": 500, "DOWN": 502}


class TestLimits:
    def test_more_than_it_can_take_is_turned_away(self):
        answerer = Echo()
        with serving(answerer, concurrency=2, waiting=1) as running:
            statuses = []
            threads = [
                threading.Thread(target=lambda n=n: statuses.append(running.ask(f"HOLD {n}")[0]))
                for n in range(3)
            ]
            for number, thread in enumerate(threads):
                thread.start()
                until(lambda n=number: len(answerer.batches) == min(n + 1, 2))
            until(lambda: running.service.desk._waiting)
            status, headers, _ = running.send(
                "POST", "/query", b'{"question": "a"}', {"Content-Type": "application/json"}
            )
            assert (status, headers["Retry-After"]) == (503, "1")
            assert running.send("GET", "/healthz")[0] == 200
            answerer.release.set()
            for thread in threads:
                thread.join()
            assert statuses == [200, 200, 200]
            assert running.ask("a")[0] == 200

    def test_what_takes_too_long_is_given_up_but_counts(self):
        answerer = Echo()
        with serving(answerer, concurrency=1, waiting=0, timeout=0.05) as running:
            status, body = running.ask("HOLD")
            assert (status, body["error"]["code"]) == (504, "timeout")
            assert running.ask("a")[0] == 503
            answerer.release.set()
            until(lambda: running.ask("a")[0] == 200)

    def test_it_is_ready_when_it_is_loaded(self):
        answerer = Echo()
        answerer.may_load.clear()
        with serving(answerer) as running:
            assert running.send("GET", "/healthz")[0] == 503
            assert running.ask("a")[0] == 503
            answerer.may_load.set()
            until(lambda: running.send("GET", "/healthz")[0] == 200)
            assert running.ask("a")[0] == 200

    def test_leaving_it_finishes_what_is_under_way(self):
        answerer = Echo()
        found = []
        with serving(answerer) as running:
            thread = threading.Thread(target=lambda: found.append(running.ask("HOLD")))
            thread.start()
            until(lambda: answerer.batches)
            running.server.leave()
            until(lambda: running.service.state == "stopping")
            answerer.release.set()
            thread.join()
        assert found[0][0] == 200


@pytest.fixture(scope="module")
def guarded():
    with serving(token=SECRET) as running:
        yield running


class TestTokens:
    @pytest.mark.parametrize("path", ["/", "/config", "/query", "/v1/models", "/nothing"])
    @pytest.mark.parametrize("given", [None, "Bearer x", SECRET, f"Basic {SECRET}", "Bearer é"])
    def test_nothing_is_said_without_it(self, guarded, path, given):
        headers = {} if given is None else {"Authorization": given.encode()}
        for method in ("GET", "POST"):
            status, found, body = guarded.send(method, path, headers=headers)
            assert status == 401
            assert found["WWW-Authenticate"] == "Bearer"
            assert json.loads(body)["error"]["code"] == "invalid_api_key"

    def test_with_it_all_is_well(self, guarded):
        assert guarded.post("/query", {"question": "a"}, Authorization=f"Bearer {SECRET}")[0] == 200
        assert ask(client_of(guarded, SECRET), "why?").choices
        with pytest.raises(openai.AuthenticationError):
            ask(client_of(guarded, "another"), "why?")

    def test_health_needs_none(self, guarded):
        status, _, body = guarded.send("GET", "/healthz")
        assert (status, json.loads(body)) == (200, {"status": "ok"})
