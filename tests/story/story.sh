#!/usr/bin/env bash
# The main job as a user sees it: only the command line, curl and a mail client. Two mailboxes, 50 real mails by IMAP and LMTP, all of
# them in the API byte for byte, four answers out by SMTP, the customer's answer joins its conversation and a forged one does not.
#
#   IMAP_PORT=…  an IMAP server on the loopback that lets in any user with the password p (tests/servers.py runs Dovecot)
#   CORPORA=…    folder with real mails below email/
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
PYTHON=${PYTHON:-python3}
hub() { "$PYTHON" -m hub "$@"; }
mail() { "$PYTHON" "$here/mail.py" "$@"; }
say() { printf -- '- %s\n' "$*"; }
fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }

work=$(mktemp -d)
pids=()
tidy() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap tidy EXIT

read -r WEB_PORT LMTP_PORT SMTP_PORT < <(mail ports 3)
export HUB_DATA=$work/data HUB_LISTEN=127.0.0.1:$WEB_PORT HUB_PUBLIC_URL=http://127.0.0.1:$WEB_PORT
export HUB_SMTP_IN__LISTEN=127.0.0.1:$LMTP_PORT
base=http://127.0.0.1:$WEB_PORT

# ── a mail server that takes what the hub sends, the hub, an employee, two mailboxes ─────────────────────────────────────
"$PYTHON" -m aiosmtpd -n -l "127.0.0.1:$SMTP_PORT" -c aiosmtpd.handlers.Mailbox "$work/received" 2>"$work/smtp.log" &
pids+=($!)
"$PYTHON" -m hub serve >"$work/hub.out" 2>"$work/hub.err" &
pids+=($!)
for _ in $(seq 100); do curl -fs "$base/readyz" >/dev/null && break; sleep 0.2; done
curl -fs "$base/readyz" >/dev/null || { cat "$work/hub.err"; fail "the hub does not serve"; }

printf 'correct horse battery' | hub user add anna@firm.example --name "Anna Becker" --role admin --password-stdin >/dev/null
token=$(hub token add anna@firm.example --name story --json | mail get token)
api() { curl -sS -H "Authorization: Bearer $token" -H 'Content-Type: application/json' "$@"; }

smtp=(--set smtp.host=127.0.0.1 --set "smtp.port=$SMTP_PORT" --set smtp.tls=none)
imap=(--set imap.host=127.0.0.1 --set "imap.port=$IMAP_PORT" --set imap.tls=none --set imap.user=support --set imap.password=p)
first=$(hub channel add email --name Support --set address=support@firm.example "${imap[@]}" "${smtp[@]}" --json | mail get id)
hub channel add email --name Sales --set address=sales@firm.example "${smtp[@]}" --json >/dev/null
say "hub serves, two e-mail channels"

# ── fifty real mails ─────────────────────────────────────────────────────────────────────────────────────────────────────
mail choose "$CORPORA/email" 50 "$work/mails"
mail append "$IMAP_PORT" support "$work/mails" 0 25 >"$work/sums"
mail lmtp "$LMTP_PORT" sales@firm.example "$work/mails" 25 50 >>"$work/sums"
wanted=$(sort "$work/sums" | uniq | wc -l)
[ "$wanted" -eq 50 ] || fail "the 50 mails are only $wanted different ones"
for _ in $(seq 300); do
    mail messages "$base" "$token" >"$work/ids"
    [ "$(wc -l <"$work/ids")" -ge 50 ] && break
    sleep 0.2
done
[ "$(wc -l <"$work/ids")" -eq 50 ] || fail "$(wc -l <"$work/ids") of 50 mails are in the API"
while read -r id _; do api "$base/api/v1/messages/$id/raw" | sha256sum | cut -d' ' -f1; done <"$work/ids" | sort >"$work/got"
sort "$work/sums" | cmp - "$work/got" || fail "the raw bytes differ from what was sent"
say "50 of 50 mails in the API, raw bytes identical (sha256)"

# ── a customer asks; four answers ────────────────────────────────────────────────────────────────────────────────────────
for n in 1 2 3 4; do
    mail ask "$LMTP_PORT" "customer$n@world.example" sales@firm.example "Question $n"
done
conversation() { # SUBJECT: waits for it, prints its id
    for _ in $(seq 100); do
        found=$(api "$base/api/v1/conversations?limit=100" | mail find-conversation "$1")
        [ -n "$found" ] && { echo "$found"; return; }
        sleep 0.1
    done
    fail "no conversation with the subject $1"
}
for n in 1 2 3; do
    number=$(conversation "Question $n")
    status=$(api -o "$work/answer" -w '%{http_code}' -d "{\"text\": \"Answer $n by the API\", \"client_id\": \"story-$n\"}" \
        "$base/api/v1/conversations/$number/messages")
    [ "$status" = 201 ] || { cat "$work/answer"; fail "the API answered $status"; }
    status=$(api -o /dev/null -w '%{http_code}' -d "{\"text\": \"Answer $n by the API\", \"client_id\": \"story-$n\"}" \
        "$base/api/v1/conversations/$number/messages")
    [ "$status" = 200 ] || fail "a repeat must be answered 200, not $status"
done
number=$(conversation "Question 4")
jar=$work/cookies
curl -sS -o /dev/null -c "$jar" --data-urlencode email=anna@firm.example --data-urlencode "password=correct horse battery" "$base/login"
curl -sS -b "$jar" "$base/c/$number" >"$work/page"
client_id=$(mail field client_id <"$work/page")
status=$(curl -sS -o /dev/null -w '%{http_code}' -b "$jar" -F "client_id=$client_id" -F "text=Answer 4 by the form" "$base/c/$number/reply")
[ "$status" = 303 ] || fail "the form answered $status"
for _ in $(seq 150); do
    [ "$(find "$work/received/new" -type f 2>/dev/null | wc -l)" -ge 4 ] && break
    sleep 0.2
done
mail check-answers "$work/received" sales@firm.example
say "3 answers by the API and 1 by the form received with right From, Reply-To, In-Reply-To, References; a repeat sent nothing"

# ── the customer answers; a stranger and a forger do not get in ──────────────────────────────────────────────────────────
mail answer "$LMTP_PORT" "$work/received" "Answer 1" customer1@world.example genuine "Thank you"
mail answer "$LMTP_PORT" "$work/received" "Answer 1" mallory@evil.example genuine "Let me in"
mail answer "$LMTP_PORT" "$work/received" "Answer 1" customer1@world.example forged "Believe me"
home=$(conversation "Question 1")
for _ in $(seq 100); do
    mail where "$base" "$token" "Thank you" "Let me in" "Believe me" >"$work/where" && break
    sleep 0.2
done
read -r thanks intruder forger <"$work/where"
[ "$thanks" = "$home" ] || fail "the customer's answer went to $thanks instead of $home"
[ "$intruder" != "$home" ] || fail "a stranger with our reply address got into the conversation"
[ "$forger" != "$home" ] || fail "a forged reply address got into the conversation"
say "the customer's answer joined its conversation, the stranger's and the forged one did not"

# ── a wrong password turns the channel red, with the server's words, and nothing else ────────────────────────────────────
hub channel set "$first" --set imap.password=wrong >/dev/null
for _ in $(seq 150); do
    api "$base/api/v1/channels/$first/health" >"$work/health"
    grep -qi 'auth' "$work/health" && break
    sleep 0.2
done
grep -qi 'auth' "$work/health" || { cat "$work/health"; fail "the channel does not say that the password is wrong"; }
curl -fs "$base/healthz" >/dev/null || fail "a wrong mailbox password must not make the hub ill"
say "a wrong mailbox password turns the channel red and nothing else"
echo "story: all true"
