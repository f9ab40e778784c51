#!/bin/bash
# SPDX-License-Identifier: MIT
# The social posts as their clients meet them, the recorded logs of their predecessors and of the bank's, and each thing
# that those did wrong ("bug: ...").
. "$(dirname "$0")/lib.sh"
BANK=$SOURCE/domains/posts # what `start` serves
API=/api/v1
LEGACY=$SOURCE/examples/legacy
TODAY=$SOURCE/tests/cli/legacy

# ask METHOD PATH [BODY [HEADER...]]: prints the status, keeps the body in $SCRATCH/answer.
ask() {
	local method=$1 path=$2 body=${3:-}
	local options=(-s -o "$SCRATCH/answer" -w '%{http_code}' -X "$method")
	shift $(($# > 3 ? 3 : $#))
	for header in "$@"; do options+=(-H "$header"); done
	[ -n "$body" ] && options+=(-H 'Content-Type: application/json' -d "$body")
	curl "${options[@]}" "http://$ADDRESS$path"
}

# told EXPRESSION: of the last answer, in Python, as `a`.
told() { python3 -c 'import json, sys
a = json.load(open(sys.argv[1]))
print(eval(sys.argv[2]))' "$SCRATCH/answer" "$1"; }

# answers TITLE STATUS EXPRESSION WANTED METHOD PATH [BODY [HEADER...]]
answers() {
	local title=$1 status=$2 expression=$3 wanted=$4
	shift 4
	same "$title" "$(ask "$@")" "$status"
	[ -z "$expression" ] || same "$title: $expression" "$(told "$expression" 2>&1)" "$wanted"
}

# head_of_log: the position of the last entry; whoever asks at least for it sees all that was answered.
head_of_log() { "$MOONLOG" status --data "$1" --json | sed -n 's/.*"head":\([0-9]*\).*/\1/p'; }

# look DIR: what every query answers, a line each, once the read model has come to the end of the log.
look() {
	local at with
	at=$(head_of_log "$1")
	for path in PostLookup PostLookup/withComments PostLookup/withLikes/0 PostLookup/withLikes/2 \
		PostLookup/withLikes/3 PostLookup/byAuthor/AD 'PostLookup/byAuthor/grace?search=exact' \
		'PostLookup?order=-likes&limit=2&offset=1'; do
		case $path in *\?*) with='&' ;; *) with='?' ;; esac
		curl -sf "http://$ADDRESS$API/$path${with}at_least=$at" || fail "$path"
		echo
	done
	for id in $(curl -sf "http://$ADDRESS$API/PostLookup" |
		python3 -c 'import json, sys; print(*[p["postId"] for p in json.load(sys.stdin)["posts"]])'); do
		curl -sf "http://$ADDRESS$API/PostLookup/byId/$id" || fail "byId/$id"
		echo
	done
}

# ---- the story ----

start data
answers "a new post" 201 'a["message"]' "the post was made" POST $API/NewPost '{"author":"Ada","message":"hello"}'
POST=$(told 'a["id"]')
answers "blank author" 422 'a["code"]' blank_author POST $API/NewPost '{"author":" ","message":"hello"}'
answers "no message" 400 'a["code"]' missing_field POST $API/NewPost '{"author":"Ada"}'
answers "no JSON" 400 'a["offset"]' 16 POST $API/NewPost '{"author":"Ada",,}'
answers "an edit" 200 'a["message"]' "the post was edited" PUT "$API/EditMessage/$POST" '{"message":"hello, world","username":"ada"}'
answers "an edit by another" 422 'a["code"]' not_author PUT "$API/EditMessage/$POST" '{"message":"x","username":"Bob"}'
answers "an edit by nobody" 422 'a["code"]' username_required PUT "$API/EditMessage/$POST" '{"message":"x"}'
answers "a like" 200 'a["likes"]' 1 PUT "$API/LikePost/$POST"
answers "another" 200 'a["likes"]' 2 PUT "$API/LikePost/$POST"
answers "a user's" 200 'a["likes"]' 3 PUT "$API/LikePost/$POST" '{"username":"Bob"}'
answers "the same user's" 422 'a["code"]' already_liked PUT "$API/LikePost/$POST" '{"username":"bob"}'
answers "a comment" 200 'a["message"]' "the comment was added" PUT "$API/AddComment/$POST" '{"comment":"nice","username":"Bob"}'
COMMENT=$(told 'a["commentId"]')
answers "a second" 200 '' '' PUT "$API/AddComment/$POST" '{"comment":"spam","username":"Eve"}'
SPAM=$(told 'a["commentId"]')
answers "a blank one" 422 'a["code"]' blank_comment PUT "$API/AddComment/$POST" '{"comment":"","username":"Bob"}'
answers "edited" 200 '' '' PUT "$API/EditComment/$POST" "{\"commentId\":\"$COMMENT\",\"comment\":\"very nice\",\"username\":\"BOB\"}"
answers "by another" 422 'a["code"]' not_comment_owner PUT "$API/EditComment/$POST" \
	"{\"commentId\":\"$COMMENT\",\"comment\":\"x\",\"username\":\"Eve\"}"
answers "one that is not there" 404 'a["code"]' no_such_comment PUT "$API/EditComment/$POST" \
	'{"commentId":"none","comment":"x","username":"Eve"}'
answers "removed by another" 422 'a["detail"]' "only who wrote a comment may remove it" DELETE "$API/RemoveComment/$POST" \
	"{\"commentId\":\"$SPAM\",\"username\":\"Bob\"}"
answers "removed" 200 '' '' DELETE "$API/RemoveComment/$POST" "{\"commentId\":\"$SPAM\",\"username\":\"Eve\"}"
for way in "PUT EditMessage {\"message\":\"x\",\"username\":\"Ada\"}" "PUT LikePost {}" "DELETE DeletePost {\"username\":\"Ada\"}" \
	"PUT AddComment {\"comment\":\"x\",\"username\":\"Bob\"}"; do
	read -r method command body <<<"$way"
	answers "$command of a post that never was" 404 'a["code"]' no_such_stream "$method" "$API/$command/nowhere" "$body"
done

# Versions: 412 by header, 409 in the body.
answers "stale If-Match" 412 'a["code"]' version_conflict PUT "$API/LikePost/$POST" '' 'If-Match: "1"'
answers "stale expectedVersion" 409 'a["code"]' version_conflict PUT "$API/LikePost/$POST" '{"expectedVersion":1}'
answers "an id that was used" 409 'a["code"]' stream_exists POST "/commands/posts/post/$POST/NewPost" '{"author":"a","message":"m"}'
answers "a key" 200 'a["likes"]' 4 PUT "$API/LikePost/$POST" '{}' 'Idempotency-Key: k1'
answers "again: the first answer" 200 'a["likes"]' 4 PUT "$API/LikePost/$POST" '{}' 'Idempotency-Key: k1'

# Looking up.
answers "Bob's post" 201 '' '' POST $API/NewPost '{"author":"Bob Adams","message":"mine"}'
OTHER=$(told 'a["id"]')
AT="at_least=$(head_of_log data)"
answers "all" 200 '[(p["author"], p["message"], p["likes"], [(c["username"], c["comment"], c["isEdited"]) for c in p["comments"]]) for p in a["posts"]]' \
	"[('Ada', 'hello, world', 4, [('Bob', 'very nice', True)]), ('Bob Adams', 'mine', 0, [])]" GET "$API/PostLookup?$AT"
same "how many" "$(told 'a["message"]')" "2 posts"
answers "one" 200 '[p["postId"] for p in a["posts"]]' "['$OTHER']" GET "$API/PostLookup/byId/$OTHER?$AT"
answers "none" 404 'a["code"]' no_such_post GET "$API/PostLookup/byId/nowhere"
answers "by a part" 200 'len(a["posts"])' 2 GET "$API/PostLookup/byAuthor/ada?$AT"
answers "by all of it" 200 '[p["author"] for p in a["posts"]]' "['Bob Adams']" GET "$API/PostLookup/byAuthor/Bob%20Adams?search=exact&$AT"
answers "by nobody" 200 'a' "{'message': '0 posts', 'posts': [], 'total': 0}" GET "$API/PostLookup/byAuthor/eve?$AT"
answers "commented" 200 '[p["postId"] for p in a["posts"]]' "['$POST']" GET "$API/PostLookup/withComments?$AT"
answers "liked" 200 '[p["postId"] for p in a["posts"]]' "['$POST']" GET "$API/PostLookup/withLikes/4?$AT"
answers "liked more" 200 'len(a["posts"])' 0 GET "$API/PostLookup/withLikes/5?$AT"
answers "bug: likes without a number gave every post" 404 'a["code"]' no_such_resource GET "$API/PostLookup/withLikes"
answers "likes of no number" 400 '' '' GET "$API/PostLookup/withLikes/many"
for query in FindAllPosts 'FindPostById?id='"$POST" 'FindPostsWithAuthor?author=a' FindPostsWithComments 'FindPostsWithLikes?n=1'; do
	answers "bug: a query without its dispatcher: $query" 200 'a["message"].split()[1][:4]' post GET "/queries/posts/$query"
done

# Removing is for good.
answers "removed by another" 422 'a["detail"]' "only the author may remove a post" DELETE "$API/DeletePost/$OTHER" '{"username":"Ada"}'
answers "removed" 200 'a["message"]' "the post was removed" DELETE "$API/DeletePost/$OTHER" '{"username":"bob adams"}'
answers "removed again" 422 'a["code"]' post_removed DELETE "$API/DeletePost/$OTHER" '{"username":"Bob Adams"}'
answers "gone" 404 'a["code"]' no_such_post GET "$API/PostLookup/byId/$OTHER?at_least=$(head_of_log data)"

# ---- what went wrong in the originals ----

# Event and message are one commit; the message has its topic and the post's id as its key; no broker is asked.
"$MOONLOG" stream tail --once --lines 1000 --json --data data >out
same "bug: an event was stored, its message not, or elsewhere, or under a random key" "$(python3 - out "$POST" <<'END2'
import json, sys
entries = [json.loads(line) for line in open(sys.argv[1])]
events = [e for e in entries if e.get("kind", "event") == "event"]
messages = {e["commit_first"]: e for e in entries if e.get("kind") == "message"}
assert len(events) >= 10 and len(events) == len(messages), (len(events), len(messages))
for event in events:
    message = messages[event["commit_first"]]
    assert event["commit_size"] == 2 and message["type"] == event["type"] + "Event", message
    assert message["topic"] == "SocialMediaPostEvents", message
    assert message.get("key", message["stream"].split("/")[1]) == event["stream"].split("/")[1], message
    assert message["data"]["Version"] == event["version"] - 1, message
    assert len(message["data"]) >= 3 + len(event["data"]), message
print("one commit")
END2
)" "one commit"

# One version, one winner.
VERSION=$(curl -s "http://$ADDRESS/streams/posts.post/$POST?limit=1000" | grep -o '"version":[0-9]*' | tail -1 | cut -d: -f2)
for i in $(seq 12); do
	curl -s -o /dev/null -w '%{http_code}\n' -X PUT -H 'Content-Type: application/json' \
		-d "{\"message\":\"by $i\",\"username\":\"Ada\",\"expectedVersion\":$VERSION}" "http://$ADDRESS$API/EditMessage/$POST" &
	WRITERS="${WRITERS:-} $!"
done >codes
wait $WRITERS
same "bug: no unique stream and version: winners" "$(grep -c 200 codes)" 1
same "losers" "$(grep -c 409 codes)" 11

# Killed: what was answered is there, rows and their checkpoint together, and events read back whole.
look data >before
{ kill -KILL "$DAEMON"; wait "$DAEMON"; } 2>/dev/null
start data
look data >after
same "bug: offsets ahead of rows, events that could not be read back" "$(cat after)" "$(cat before)"
answers "the state from its events" 200 '[a["state"][k] for k in ("author", "likes", "liked_by")]' "['Ada', 4, {'bob': True}]" GET "/state/posts/post/$POST"

# A rebuild: no request's order, no message, nothing doubled, nothing stale.
answers "RestoreReadDb" 403 'a["code"]' operators_order POST $API/RestoreReadDb
HEAD=$(head_of_log data)
expect 0 "rebuild" projection rebuild posts.lookup --data data
says "rebuild" "^posts.lookup +live"
expect 0 "rebuild again" projection rebuild posts.lookup --data data
look data >after
same "bug: a rebuild doubled likes" "$(cat after)" "$(cat before)"
same "bug: a rebuild sent everything again" "$(head_of_log data)" "$HEAD"
stop 0 "TERM"
VIEW=$(readlink -f data/views/posts.db)
sqlite3 "$VIEW" "UPDATE Post SET Likes = 99; INSERT INTO Post (PostId, Author, DatePosted, Message, Likes, CommentCount, Version)
	SELECT 'stale', Author, DatePosted, Message, Likes, CommentCount, Version FROM Post LIMIT 1" 2>out || fail "a stale row"
start data
answers "a stale row" 200 '' '' GET "$API/PostLookup/byId/stale"
expect 0 "rebuild over it" projection rebuild posts.lookup --data data
look data >after
same "bug: a rebuild left stale rows" "$(cat after)" "$(cat before)"
stop 0 "TERM after rebuilds"

# ---- settings that give what the originals did ----

mkdir theirs
cp -r "$BANK" theirs/posts
sed -i 's/\(edit_needs_author\|owner_ignores_case\) = true/\1 = false/; s/blank_allowed = false/blank_allowed = true/
	s/author_search = "part"/author_search = "exact"/' theirs/posts/settings.lua
BANK=$SCRATCH/theirs/posts start theirs.data
answers "a blank post" 201 '' '' POST $API/NewPost '{"author":"","message":""}'
answers "a post" 201 '' '' POST $API/NewPost '{"author":"Ada","message":"m"}'
POST=$(told 'a["id"]')
answers "an edit by nobody" 200 '' '' PUT "$API/EditMessage/$POST" '{"message":"x"}'
answers "a blank edit" 422 'a["code"]' blank_message PUT "$API/EditMessage/$POST" '{"message":""}'
answers "a nameless comment" 200 '' '' PUT "$API/AddComment/$POST" '{"comment":"x","username":""}'
answers "a comment" 200 '' '' PUT "$API/AddComment/$POST" '{"comment":"x","username":"Bob"}'
COMMENT=$(told 'a["commentId"]')
answers "another case" 422 'a["code"]' not_comment_owner DELETE "$API/RemoveComment/$POST" "{\"commentId\":\"$COMMENT\",\"username\":\"bob\"}"
answers "edited to nothing" 200 '' '' PUT "$API/EditComment/$POST" "{\"commentId\":\"$COMMENT\",\"comment\":\"\",\"username\":\"Bob\"}"
answers "a part of a name" 200 'len(a["posts"])' 0 GET "$API/PostLookup/byAuthor/Ad?at_least=$(head_of_log theirs.data)"
answers "all of it" 200 'len(a["posts"])' 1 GET "$API/PostLookup/byAuthor/Ada"
stop 0 "TERM of theirs"

# ---- the recorded logs of the originals ----

expect 0 "import of the legacy log" import --map "$LEGACY/posts/map.lua" "$LEGACY/posts/log.ndjson" --data old
says "import of the legacy log" 'imported 30 entries, 1 records passed over'
expect 0 "import of the same history in today's shape" import --map "$TODAY/today.lua" "$TODAY/posts_today.ndjson" --data new
says "import of the same history" 'imported 30 entries'
start new
look new >rows.new
for stream in $("$MOONLOG" stream list --data new | awk '{print $2}'); do
	ask GET "/state/posts/post/${stream#*/}" >>states.new; cat answer >>states.new
done
stop 0 "TERM of today's"
start old
look old >rows.old
same "the read model of the legacy log is that of the same history in today's shape" "$(cat rows.old)" "$(cat rows.new)"
same "posts were looked at" "$(head -1 rows.old | grep -o '"likes":[0-9]*' | wc -l)" 4
same "all queries were asked" "$(wc -l <rows.old)" 12
for stream in $("$MOONLOG" stream list --data old | awk '{print $2}'); do
	ask GET "/state/posts/post/${stream#*/}" >>states.old; cat answer >>states.old
done
same "the states too" "$(cat states.old)" "$(cat states.new)"
same "states were looked at" "$(grep -o '"status":"[a-z]*"' states.old | sort | uniq -c | tr -s ' \n' ' ')" \
	' 4 "status":"active" 1 "status":"removed" '
# Recorded bytes are theirs; what is done now goes on behind them.
GRACE=$(grep -m1 -o '"aggregateIdentifier": "[^"]*"' "$LEGACY/posts/log.ndjson" | cut -d'"' -f4)
expect 0 "as recorded" stream show "posts.post/$GRACE" --data old --json
says "as recorded" '"commendId"'
MOTH=$(grep -m1 -o '"commendId": "[^"]*"' "$LEGACY/posts/log.ndjson" | cut -d'"' -f4)
answers "an old comment is edited" 200 '' '' PUT "$API/EditComment/$GRACE" \
	"{\"commentId\":\"$MOTH\",\"comment\":\"framed it\",\"username\":\"Howard\"}"
answers "an old post is liked" 200 'a["likes"]' 3 PUT "$API/LikePost/$GRACE"
answers "and looked up" 200 '[(p["likes"], [c["comment"] for c in p["comments"]]) for p in a["posts"]]' "[(3, ['framed it'])]" \
	GET "$API/PostLookup/byId/$GRACE?at_least=$(head_of_log old)"
expect 0 "rebuild of the legacy log" projection rebuild posts.lookup --data old
stop 0 "TERM of the legacy log"
expect 0 "verify of it" verify --data old

# Nobody notices a rebuild: while one runs after the other, a reader gets one answer alone.
python3 - >many.ndjson <<'END2'
import json
for i in range(6000):
    post, version = "p%d" % (i % 100), i // 100
    kind = "PostLikeEvent" if version else "PostCreatedEvent"
    data = {} if version else {"Author": "a", "Message": "m", "DatePosted": "2021-05-01T10:00:00Z"}
    print(json.dumps({"Id": str(i), "TimeStamp": "2021-05-01T10:00:00Z", "AggregateIdentifier": post, "Version": version,
                      "AggregateType": "PostAggregate", "EventType": kind, "EventData": data}))
END2
expect 0 "import of many" import --map "$LEGACY/posts/map.lua" many.ndjson --data many
start many
answers "all are there" 200 'a["total"]' 100 GET "$API/PostLookup/withLikes/59?limit=1&at_least=6000&wait_ms=30000"
python3 - "$ADDRESS" "$API" >noticed <<'END2' &
import http.client, os, sys
connection, answers, asked = http.client.HTTPConnection(sys.argv[1]), set(), 0
while not os.path.exists("rebuilt"):
    connection.request("GET", sys.argv[2] + "/PostLookup?limit=5&order=-likes")
    answer = connection.getresponse()
    answers.add((answer.status, answer.read()))
    asked += 1
    open("asked", "w").close()
print(len(answers), "answer" if asked >= 20 else "answer of %d only" % asked)
END2
READER=$!
for _ in $(seq 200); do [ -e asked ] && break; sleep 0.05; done
for _ in 1 2; do expect 0 "rebuild of many" projection rebuild posts.lookup --data many; done
touch rebuilt
wait $READER
same "a rebuild that nobody notices" "$(cat noticed)" "1 answer"
stop 0 "TERM of many"

BANK=$SOURCE/domains/banking
expect 0 "the bank's legacy log" import --map "$LEGACY/banking/map.lua" "$LEGACY/banking/log.ndjson" --data bank.old
expect 0 "the same in today's shape" import --map "$TODAY/today.lua" "$TODAY/banking_today.ndjson" --data bank.new
for log in new old; do
	start bank.$log
	for path in /api/reports/balances $("$MOONLOG" stream list --data bank.$log |
		sed -n 's|.* banking.account/\(.*\)|/api/reports/transactions/\1 /api/accounts/\1|p'); do
		curl -sf "http://$ADDRESS$path?$([ "${path#*reports}" = "$path" ] || echo at_least=8)" >>bank.rows.$log || fail "$path"
		echo >>bank.rows.$log
	done
	[ $log = old ] || stop 0 "TERM of the bank"
done
same "the bank's read model too" "$(cat bank.rows.old)" "$(cat bank.rows.new)"
same "its accounts were looked at" "$(grep -o '"currency":"EUR"' bank.rows.old | wc -l)" 13
ADA=$(grep -m1 -o '"stream_id": "[^"]*"' "$LEGACY/banking/log.ndjson" | cut -d'"' -f4)
same "an old account goes on" "$(post "/api/accounts/$ADA/deposit" '{"amount":1.00,"currency":"EUR"}')" 200
same "its balance" "$(told 'a["balance"]')" 426.45
same "an old account's number is taken" "$(post /api/accounts '{"accountNumber":"NL-1","accountName":"n","ownerName":"o"}')" 409
same "by its rule" "$(told 'a["code"]')" account_number_taken
stop 0 "TERM of the bank's legacy"
finish
