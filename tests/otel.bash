# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# otel.bash - the OpenTelemetry SDK from PyPI. Sourced by tests/integration/otel.bats and tools/demo.

# otel_install PIP-PYTHON ENVIRONMENT-PYTHON VERSION - fill an environment with the SDK and its OTLP exporter, by a Python
# that has pip (22.3 or newer, or the environment's own). Prints pip's words on stdout.
otel_install() {
	local pip=("$1" -m pip --disable-pip-version-check) protobuf
	local -a into=()
	[ "$1" = "$2" ] || into=(--python "$2")
	"${pip[@]}" "${into[@]}" install -q "opentelemetry-sdk==$3" "opentelemetry-exporter-otlp-proto-http==$3" 2>&1 || return 1
	if ! "$2" -c 'import google.protobuf.descriptor' 2>/dev/null; then
		# The old SDKs want a protobuf whose extension module is too old for CPython 3.14: take the one without.
		protobuf=$("$2" -c 'import importlib.metadata; print(importlib.metadata.version("protobuf"))') &&
			"${pip[@]}" install -q --upgrade --no-deps "protobuf==$protobuf" --only-binary=:all: --implementation py \
				--abi none --platform any \
				--target "$("$2" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" 2>&1
	fi
}
