#!/bin/sh
# An executable plugin that misbehaves in one way for each task. For tests of the plugin host only.
read -r order
say() { printf '%s\n' "$1"; }
done_() { say '{"type":"result","state":"success"}'; }
case $order in
*wild.echo*)
    echo "to the log" >&2
    say '{"type":"log","level":"WARN","message":"hello"}'
    say "{\"type\":\"output\",\"name\":\"order\",\"value\":$order}"
    say '{"type":"metric","name":"m","metric":"counter","value":2.5,"tags":{"a":"b"}}'
    done_ ;;
*wild.garbage*) say 'this is no JSON'; sleep 100 ;;
*wild.exit*) exit 4 ;;
*wild.close*) exec 1>&- 0<&-; sleep 100 ;;
*wild.hang*) trap '' TERM; while :; do sleep 1; done ;;
*wild.silent*) sleep 100 ;;
*wild.crash*) kill -SEGV $$ ;;
*wild.child*) setsid sleep 100 & setsid sleep 100 & done_ ;;
*wild.long*) # 20 MB without an end of line.
    head -c 20000000 /dev/zero | tr '\0' 'x'; sleep 100 ;;
*wild.ask*)
    out() { say "{\"type\":\"output\",\"name\":\"$1\",\"value\":$2}"; }
    ask() { say "$2"; read -r reply; out "$1" "$reply"; }
    ask early '{"type":"render","name":"text"}'
    ask unknown '{"type":"render","name":"nothing","variables":null}'
    ask late '{"type":"render","name":"late","variables":{"x":41}}'
    ask other '{"type":"render","name":"other","variables":{"x":[1],"workingDir":"hidden"}}'
    ask wrong '{"type":"render","name":"late","variables":{"x":"no number"}}'
    ask sealed '{"type":"encrypt","text":"secret"}'
    out key "\"${BATON_ENCRYPTION_KEY:-none} ${BATON_WORKER_TOKEN:-none}\""
    done_ ;;
*wild.listen*)
    say '{"type":"emit","variables":{"n":1}}'
    say '{"type":"flush"}'
    read -r reply
    say "{\"type\":\"state\",\"value\":$reply}"
    say '{"type":"emit","variables":{"n":2},"id":"two"}'
    done_ ;;
*wild.files*)
    echo '{"a":1}' >rows.tmp
    say '{"type":"file_store","name":"rows.jsonl","path":"rows.tmp"}'
    read -r reply
    uri=${reply#*\"uri\":\"}; uri=${uri%%\"*}
    say "{\"type\":\"file_open\",\"uri\":\"$uri\"}"
    read -r reply
    path=${reply#*\"path\":\"}; path=${path%%\"*}
    say "{\"type\":\"output\",\"name\":\"row\",\"value\":$(cat "$path")}"
    say "{\"type\":\"output\",\"name\":\"uri\",\"value\":\"$uri\"}"
    say '{"type":"file_open","uri":"baton:///no/such/file"}'
    read -r reply
    say "{\"type\":\"output\",\"name\":\"reply\",\"value\":$reply}"
    say '{"type":"file_store","name":"x","path":"../../../etc/passwd"}'
    read -r reply
    say "{\"type\":\"output\",\"name\":\"escape\",\"value\":$reply}"
    done_ ;;
esac
