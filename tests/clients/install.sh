#!/bin/sh
# Installs what tests/clients needs beside Python: the SDKs of Node, and a browser. Where that cannot be, it says so and
# goes on; the tests that need it are skipped with the reason. Ends with 1 where another try may help.
set -u
again=0
cd "$(dirname "$0")"

if ! command -v npm >/dev/null; then
  echo 'warning: there is no npm, so the SDKs of Node and of browsers are not tested' >&2
elif ! npm ci --silent; then
  echo 'warning: npm could not install the SDKs in tests/clients, so they are not tested; make dev tries again' >&2
  rm -rf node_modules
  again=1
fi

# Only where nobody has to be asked: as root, as in a container.
if ! command -v chromium >/dev/null && command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
  echo 'installing chromium, with which the tests drive the SDKs of browsers'
  timeout 300 sh -c "apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install chromium" \
    >/dev/null 2>&1 || echo 'warning: apt-get could not install chromium, so no browser is tested' >&2
fi
exit $again
