#!/usr/bin/env bash
# Two processes measure one half of a model each, to a table of its own, and the halves become one table.
# usage: tools/fleet/two_processes.sh LOCP MODEL FOLDER [flags of locp measure, for example --engine onnxruntime]
# As on two devices of a kind; on one CPU the two disturb each other, so there it only shows how it goes.
set -euo pipefail
locp=$1 model=$2 folder=$3
shift 3
mkdir -p "$folder"
for i in 1 2; do
    "$locp" measure "$model" --shard "$i/2" --table "$folder/part-$i.redb" --progress never "$@" &
    parts[i]=$!
done
for part in "${parts[@]}"; do
    wait "$part"
done
"$locp" table merge "$folder/all.redb" "$folder/part-1.redb" "$folder/part-2.redb"
# Everything is there: nothing is measured any more.
"$locp" measure "$model" --table "$folder/all.redb" --progress never "$@"
