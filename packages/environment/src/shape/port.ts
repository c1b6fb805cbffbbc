import type { Port } from "@drover/domain/environment/declaration";
import { byKind, record } from "@drover/document/shape/record";
import { documented, mapped, number, refuse, text, word, type Shape } from "@drover/document/shape/shape";

const localhost = "127.0.0.1";
const expected = 'a port, such as "8080:80", "127.0.0.1:8080:80", "53:53/udp" or 80';

export const portNumber = () => number({ min: 1, max: 65_535, whole: true });

/** A port of the container, and where the node listens for it. */
export function port(): Shape<Port> {
  return byKind<Port>({
    number: mapped(portNumber(), (containerPort): Port => ({ containerPort, hostIp: localhost, protocol: "tcp" })),
    text: mapped(
      text({ expected }),
      (written, at, report) => readPort(written) ?? refuse(at, report, expected, hintFor(written)),
    ),
    object: mapped(portRecord, ({ hostIp = localhost, protocol = "tcp", ...ports }) => ({
      ...ports,
      hostIp,
      protocol,
    })),
  });
}

/** A port as it is written in a text. */
export function readPort(written: string): Port | undefined {
  const [, ip, host, container, protocol = "tcp"] =
    /^(?:(?:(\[[0-9a-fA-F:.]+\]|[\d.]+):)?(\d{0,5}):)?(\d{1,5})(?:\/(tcp|udp))?$/.exec(written.trim()) ?? [];
  const hostIp = ip === undefined ? localhost : ip.replace(/^\[|\]$/g, "");
  const containerPort = Number(container);
  const isHostChosen = host === undefined || host === "";
  if ((host === "" && ip === undefined) || !isIp(hostIp) || !isPortNumber(containerPort)) return undefined;
  if (!isHostChosen && !isPortNumber(Number(host))) return undefined;
  return {
    containerPort,
    ...(isHostChosen ? {} : { hostPort: Number(host) }),
    hostIp,
    protocol: protocol === "udp" ? "udp" : "tcp",
  };
}

const portRecord = record({
  name: "a port",
  required: { containerPort: portNumber() },
  optional: {
    hostPort: documented(portNumber(), "Absent: Docker chooses one."),
    hostIp: documented(
      mapped(text(), (ip, at, report) => (isIp(ip) ? ip : refuse(at, report, "an IP address, such as 127.0.0.1"))),
      "The address of the node that listens; 127.0.0.1 where it is absent.",
    ),
    protocol: word(["tcp", "udp"]),
  },
});

function isPortNumber(digits: number): boolean {
  return Number.isInteger(digits) && digits >= 1 && digits <= 65_535;
}

function isIp(ip: string): boolean {
  if (ip.includes(":")) return URL.canParse(`http://[${ip}]/`);
  return /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/.test(ip);
}

function hintFor(written: string): string | undefined {
  if (written.includes("localhost")) return "Write 127.0.0.1 for localhost.";
  if (/\d-\d/.test(written)) return "Write each port on a line of its own.";
  return undefined;
}
