#!/bin/sh
# A file against another one where no PyTorch is at hand: a colleague's, that of an older release.
#
#     examples/compare_files.sh NEW.tflite OLD.tflite
#
# Both take and give the same tensors. They are compared on random inputs; add --dataset FOLDER for pictures of yours, or
# --dataset inputs.npz. The same file by another LiteRT: --reference-python PYTHON, of an environment that has it.
set -eu
new=$1 old=$2
shift 2
exec sealbench bench --file "$new" --reference "$old" -k "not latency" "$@"
