#!/usr/bin/env bash
#
# units.sh FILE.deb: the systemd units of the Debian package, with the drop-ins of docs/systemd.md, in a Debian 12 that
# systemd has booted in a container. Needs root, and Debian's packages debootstrap and systemd-container; roots are kept
# in $LEADPIPE_ROOTS (default: build/roots). Skipped where there can be no containers.

set -euo pipefail
package=$(realpath "$1")
readonly package
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=tests/distros/roots.sh
source tests/distros/roots.sh
readonly RELEASE=bookworm

add_systemd() {
    chroot "$1" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
        systemd systemd-sysv dbus adduser >/dev/null
}

command -v systemd-nspawn >/dev/null || apt-get install -y -q --no-install-recommends systemd-container
make_root systemd- $RELEASE add_systemd
root=$ROOTS/machine-$RELEASE
rm -rf "$root"
cp -a "$ROOTS/systemd-$RELEASE" "$root"
nspawn=(systemd-nspawn -q -D "$root" --register=no --keep-unit --resolv-conf=replace-host)
if ! why=$("${nspawn[@]}" --console=pipe true 2>&1 </dev/null); then
    rm -rf "$root"
    printf 'units.sh: skipped, as systemd-nspawn cannot start a container here: %s\n' "$why"
    exit 0
fi

# --- the machine ------------------------------------------------------------------

log=$root.log
"${nspawn[@]}" --boot --console=pipe >"$log" 2>&1 </dev/null &
machine=$!
pid1=

# there COMMAND: a shell's command in the machine.
there() {
    nsenter -t "$pid1" -a env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
        DEBIAN_FRONTEND=noninteractive SYSTEMD_PAGER= bash -euo pipefail -c "cd /; $1"
}

end() {
    local status=$?
    trap - EXIT ERR
    if [[ -n $pid1 ]]; then
        if ((status)); then there "systemctl --no-pager --all list-units 'leadpipe*'; journalctl -n 60" >&2 || true; fi
        kill -s RTMIN+4 "$pid1" # power off
    else
        kill "$machine"
    fi
    wait "$machine" || true
    rm -rf "$root"
    exit "$status"
}
trap end EXIT

# A failure in a function is reported with the line that called it.
set -o errtrace
where() { printf 'units.sh: failed in line %d\n' "${BASH_LINENO[-2]}" >&2; }
trap where ERR

# wait_for WHAT COMMAND: until the command there succeeds.
wait_for() {
    for ((i = 0; i < 300; i++)); do
        if there "$2" >/dev/null 2>&1; then return; fi
        sleep 0.2
    done
    printf 'units.sh: never: %s\n' "$1" >&2
    return 1
}

# fails COMMAND: there, with a status that is not 0.
fails() {
    if there "$1" >/dev/null 2>&1; then
        printf 'units.sh: should have failed: %s\n' "$1" >&2
        return 1
    fi
}

for ((i = 0; i < 300; i++)); do
    pid1=$(pgrep -P "$machine" || true)
    if [[ -n $pid1 ]]; then break; fi
    sleep 0.2
done
wait_for "the machine is up" '[[ $(systemctl is-system-running) == running ]]'

# --- the package, a server and jobs -----------------------------------------------

coproc sandbox { exec python3 tests/sandbox/sandbox.py --stdin-watch; }
read -r ready <&"${sandbox[0]}"
url=$(python3 -c 'import json, sys; print(json.loads(sys.argv[1])["omni"])' "$ready")
key=$(python3 -c 'import json, sys; print(json.loads(sys.argv[1])["key"])' "$ready")

cp "$package" "$root/leadpipe.deb"
there "apt-get -q update && apt-get install -y -q --no-install-recommends /leadpipe.deb" >/dev/null 2>&1
there "install -m 600 /dev/stdin /etc/leadpipe/keys/omni.key <<<'$key'"
printf 'plain-%s\n' 1 2 3 >"$root/etc/leadpipe/ids.txt"
printf 'plain-%s~slow=8000\n' 1 2 3 >"$root/etc/leadpipe/slow.txt"

# job NAME FOLDER LINE...: a job file that writes its tables to FOLDER.
job() {
    local name=$1 folder=$2
    shift 2
    printf '%s\n' "provider: omni" "base-url: $url" "api-key-file: \${CREDENTIALS_DIRECTORY}/keys_omni.key" \
        "state: \${STATE_DIRECTORY}/$name.state" "to: [{csv: {target: \"$folder\"}}]" "$@" >"$root/etc/leadpipe/$name.yaml"
}

# documented PATH: the file of that path in docs/systemd.md, as it stands there.
documented() {
    awk -v path="$1" '
        $0 == "    # " path { found = 1; next }
        found && !/^    / { exit }
        found { print substr($0, 5) }' docs/systemd.md
}

# drop_in PATH [LINE]...: the documented file is put in place, with more lines.
drop_in() {
    local path=$1
    shift
    mkdir -p "$(dirname "$root$path")"
    documented "$path" >"$root$path"
    [[ -s $root$path ]]
    if (($#)); then printf '%s\n' "$@" >>"$root$path"; fi
    there "systemctl daemon-reload"
}

readonly UNITS=/etc/systemd/system

# --- a job, and its check ---------------------------------------------------------

job nightly "\${STATE_DIRECTORY}/tables/" "ids: ids.txt"
there "systemctl start leadpipe-check@nightly.service"
there "journalctl -u leadpipe-check@nightly.service -n 40 -o cat | grep -q '^ok .*accepted by the provider'"
there "systemctl start leadpipe@nightly.service"
there "[[ \$(wc -l </var/lib/leadpipe-nightly/tables/leads.csv) -eq 4 ]]"
there "[[ \$(stat -c %a:%U /var/lib/private) == 700:root && \$(stat -Lc %a /var/lib/leadpipe-nightly) == 750 ]]"
there "systemd-analyze --no-pager security leadpipe@nightly.service | tail -n 1 | grep -q OK"

job outside /srv/outside/ "ids: ids.txt"
there "mkdir /srv/outside"
fails "systemctl start leadpipe-check@outside.service"
there "journalctl -u leadpipe-check@outside.service -o cat | grep -q '^FAIL .*/srv/outside'"

fails "systemctl start leadpipe@missing.service"
there "systemctl is-failed leadpipe@missing.service >/dev/null"

# --- a user and a folder of its own, beside a job that runs -----------------------

there "adduser --quiet --system --group etl && adduser --quiet --system --ingroup etl reader"
there "install -d -o etl -g etl -m 2750 /srv/leads && install -d -g etl -m 775 /var/lib/prometheus/node-exporter"
drop_in $UNITS/leadpipe@nightly.service.d/override.conf
mkdir "$root$UNITS/leadpipe-check@nightly.service.d"
ln -s ../leadpipe@nightly.service.d/override.conf "$root$UNITS/leadpipe-check@nightly.service.d/"
there "systemctl daemon-reload"
job nightly /srv/leads/ "ids: slow.txt" "fresh: true" "metrics: /var/lib/prometheus/node-exporter/nightly.prom"
job other "\${STATE_DIRECTORY}/tables/" "ids: slow.txt"
there "systemctl start leadpipe-check@nightly.service"
there "systemctl start --no-block leadpipe@other.service"
wait_for "the other job runs" "[[ \$(systemctl is-active leadpipe@other.service) == activating && -e /var/lib/leadpipe-other/other.state ]]"
there "systemctl start --no-block leadpipe@nightly.service"
wait_for "both run" "[[ \$(systemctl is-active leadpipe@{other,nightly}.service | grep -c activating) -eq 2 ]]"
wait_for "both are done" "[[ \$(systemctl is-active leadpipe@{other,nightly}.service | grep -c inactive) -eq 2 ]]"
there "[[ \$(wc -l </var/lib/leadpipe-other/tables/leads.csv) -eq 4 ]]"
there "[[ \$(stat -c %U:%G:%a /srv/leads/leads.csv) == etl:etl:640 ]]"
there "[[ -d /var/lib/leadpipe-nightly && ! -L /var/lib/leadpipe-nightly && \$(stat -c %U /var/lib/leadpipe-nightly) == etl ]]"
there "setpriv --reuid reader --regid etl --clear-groups wc -l /srv/leads/leads.csv >/dev/null"
there "[[ \$(stat -c %a /var/lib/prometheus/node-exporter/nightly.prom) == 644 ]]"
there "systemd-analyze --no-pager security leadpipe@nightly.service | tail -n 1 | grep -q OK"

# A folder that is missing is reported by the program itself.
there "mv /srv/leads /srv/away"
fails "systemctl start leadpipe@nightly.service"
there "[[ \$(systemctl show -P ExecMainStatus leadpipe@nightly.service) -lt 200 ]]"
there "mv /srv/away /srv/leads"

# --- when a job fails -------------------------------------------------------------

install -m 755 /dev/stdin "$root/usr/bin/mail" <<<'#!/bin/sh
{ echo "$@"; cat; } >>/var/mail-sent'
drop_in $UNITS/leadpipe-failed@.service
drop_in $UNITS/leadpipe@.service.d/failed.conf
fails "systemctl start leadpipe@missing.service"
wait_for "a mail" "grep -q 'missing.yaml: No such file' /var/mail-sent"
there "grep -q '^-s leadpipe job missing failed on .* root' /var/mail-sent"

# An outage: five starts, then one mail.
job outage "\${STATE_DIRECTORY}/tables/" "ids: ids.txt" "base-url: http://127.0.0.1:9" "retry-max-time: 1s"
sed -i "/^base-url: ${url//\//\\/}/d" "$root/etc/leadpipe/outage.yaml"
drop_in $UNITS/leadpipe@.service.d/again.conf "RestartSec=100ms"
fails "systemctl start leadpipe@outage.service"
wait_for "the last try" "systemctl is-failed leadpipe@outage.service && grep -q 'job outage failed' /var/mail-sent"
there "[[ \$(journalctl -u leadpipe@outage.service -o cat | grep -c '^Starting ') -eq 5 ]]"
there "[[ \$(grep -c 'job outage failed' /var/mail-sent) -eq 1 ]]"
fails "systemctl start leadpipe@missing.service" # status 2 is not tried again
there "systemctl is-failed leadpipe@missing.service >/dev/null && [[ \$(systemctl show -P NRestarts leadpipe@missing.service) -eq 0 ]]"
rm -r "$root$UNITS/leadpipe@.service.d"
there "systemctl daemon-reload"

# --- the timer --------------------------------------------------------------------

drop_in $UNITS/leadpipe@nightly.timer.d/override.conf
there "systemctl enable -q --now leadpipe@nightly.timer"
there "systemctl show -P TimersCalendar leadpipe@nightly.timer | grep -q '04:30:00'"
there "[[ \$(systemctl show -P TimersCalendar leadpipe@nightly.timer | grep -c OnCalendar) -eq 1 ]]"
there "rm /srv/leads/leads.csv"
drop_in $UNITS/leadpipe@nightly.timer.d/override.conf "OnCalendar=*:*:0/2" "AccuracySec=1s"
wait_for "the timer starts the job" "[[ -e /srv/leads/leads.csv ]]"
drop_in $UNITS/leadpipe@nightly.timer.d/override.conf
wait_for "that job is done" "[[ \$(systemctl is-active leadpipe@nightly.service) == inactive ]]"

# --- upgrade, removal, return, purge ----------------------------------------------

readonly LINK=$UNITS/timers.target.wants/leadpipe@nightly.timer
there "systemctl start --no-block leadpipe@other.service"
wait_for "the other job runs" "[[ \$(systemctl is-active leadpipe@other.service) == activating ]]"
there "dpkg -i /leadpipe.deb" >/dev/null
there "systemctl is-active leadpipe@nightly.timer >/dev/null"
wait_for "the upgrade leaves the other job alone" "[[ \$(systemctl is-active leadpipe@other.service) == inactive ]]"
fails "systemctl start leadpipe@missing.service"
there "apt-get remove -y -q leadpipe" >/dev/null
there "[[ -z \$(systemctl --no-legend --all list-units 'leadpipe*@*.service' --state=failed,active,activating) ]]"
fails "systemctl is-active leadpipe@nightly.timer"
there "[[ -L $LINK ]]"
there "apt-get install -y -q --no-install-recommends /leadpipe.deb" >/dev/null 2>&1
there "systemctl is-active leadpipe@nightly.timer >/dev/null"
there "apt-get purge -y -q leadpipe" >/dev/null
fails "systemctl is-active leadpipe@nightly.timer"
there "[[ ! -L $LINK && -z \$(systemctl --no-legend --failed) ]]"
there "[[ -e /etc/leadpipe/keys/omni.key && -e /etc/leadpipe/nightly.yaml && -e /srv/leads/leads.csv ]]"
there "[[ -d /var/lib/leadpipe-nightly && -d /var/lib/private/leadpipe-other && -d $UNITS/leadpipe@nightly.service.d ]]"

eval "exec ${sandbox[1]}>&-" # the sandbox ends with its standard input
printf 'units.sh: jobs, drop-ins, timer, removal and return: as documented\n'
