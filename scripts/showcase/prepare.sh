# Sourced by scripts/demo and scripts/dev, in the root of the clone: installs the packages where they are missing or
# older than the lock file, and puts a Node that can run this project first on the PATH.

if ! command -v npm > /dev/null; then
  echo "Expected npm on the PATH, found none. Install Node 20 or newer, which brings npm, and start again." >&2
  exit 1
fi

if [ ! -f node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  echo "Installing the packages of package-lock.json, once ..."
  # A cache of its own, and removed again: nothing outside the clone is written.
  if ! npm ci --no-audit --no-fund --loglevel=error --update-notifier=false --cache="$PWD/.drover/npm"; then
    rm -rf .drover/npm
    echo "The packages could not be installed. See npm's message above, check the network, and start again." >&2
    exit 1
  fi
  rm -rf .drover/npm
fi

PATH="$PWD/node_modules/.bin:$PATH" # brings Node 24 where npm has it for this platform
if ! node -e 'const [major, minor] = process.versions.node.split("."); process.exit(+major > 22 || (+major === 22 && +minor >= 18) ? 0 : 1)' 2> /dev/null; then
  echo "Expected Node 22.18 or newer, got $(node --version 2> /dev/null || echo none), and npm has no binary for $(uname -s) on $(uname -m). Install a newer Node and start again." >&2
  exit 1
fi
