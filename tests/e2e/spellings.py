"""Addresses that a server must not call, and the many ways to write them."""
import ipaddress
import random

DENIED_4 = ["0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32",
            "169.254.169.254/32", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
            "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24",
            "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "100.100.100.200/32",
            "192.0.0.192/32"]
DENIED_6 = ["::/127", "::/96", "::ffff:0:0:0/96", "64:ff9b:1::/48", "100::/64", "2001::/32",
            "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fc00::/7",
            "fd00:ec2::254/128", "fe80::/10", "fec0::/10", "ff00::/8"]


def picked(networks, seed):
    """The first, the last and one between of each."""
    chance = random.Random(seed)
    for text in networks:
        network = ipaddress.ip_network(text)
        inner = chance.randrange(network.num_addresses)
        yield from dict.fromkeys([network[0], network[-1], network[inner]])


def addresses_4():
    return list(dict.fromkeys(picked(DENIED_4, 4)))


def embedded(four):
    """IPv6 addresses which have an IPv4 address in them."""
    number = int(four)
    return [ipaddress.IPv6Address(start | number << shift) for start, shift in (
        (0xffff << 32, 0), (0, 0), (0x64ff9b << 96, 0), (0x2002 << 112, 80),
        (0x20010000 << 96 | 0x0a0b0c0d << 64, 0), (0xffff << 48, 0))]


def addresses_6():
    found = list(picked(DENIED_6, 6))
    for text in ("127.0.0.1", "10.1.2.3", "169.254.169.254", "192.168.0.1", "0.0.0.0",
                 "168.63.129.16", "100.100.100.200"):
        found += embedded(ipaddress.IPv4Address(text))
    return list(dict.fromkeys(found))


def is_denied(text):
    """What connect() was called with. Of Python's own tables as far as they go."""
    address = ipaddress.ip_address(text)
    if address.version == 6:
        inner = address.ipv4_mapped
        if address in ipaddress.ip_network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(int(address) & 0xffffffff)
        if inner is not None:
            return is_denied(str(inner))
    networks = DENIED_4 if address.version == 4 else DENIED_6
    return (not address.is_global or address.is_multicast or address.is_reserved
            or any(address in ipaddress.ip_network(network) for network in networks))


def spell_4(address):
    a, b, c, d = address.packed
    number = int(address)
    return [
        str(address), f"{address}.", str(number), hex(number), f"0x{number:X}",
        "0" + oct(number)[2:], f"{a}.{number & 0xffffff}", f"{a}.{b}.{number & 0xffff}",
        f"{a:#x}.{b:#x}.{c:#x}.{d:#x}", f"0{a:o}.0{b:o}.0{c:o}.0{d:o}", f"{a:#x}.{b}.0{c:o}.{d}",
        f"000{a:o}.{b}.{c}.{d}", f"{number + 2 ** 32}", str(address).replace(".", "%2e"),
        "".join(f"%{ord(c):02x}" for c in str(address)), f"[{address}]", f"[::ffff:{address}]",
        f"[::ffff:{a:x}{b:02x}:{c:x}{d:02x}]", f"[64:ff9b::{address}]", f"[::{address}]",
        f"{address}.nip.io", f"a{number:08x}.test", f"A{number:08X}.TEST".lower(),
        f"b{0xffff << 32 | number:032x}.test", f"user@{address}", f"1.1.1.1@{address}",
        f"{address}#@1.1.1.1", f"1.1.1.1\\@{address}", f"{address}%00.example.com",
        str(address).translate({48 + i: 0xff10 + i for i in range(10)}),
        str(address).replace(".", "\u3002"),
    ]


def spell_6(address):
    number = int(address)
    low = ipaddress.IPv4Address(number & 0xffffffff)
    high = ipaddress.IPv6Address(number >> 32 << 32).exploded[:29]
    return [f"[{address}]", f"[{address.exploded}]", f"[{address.exploded.upper()}]",
            f"[{high}:{low}]", f"[{address}%251]", f"[{address}%25lo]", f"b{number:032x}.test",
            f"[{address}].example.com", f"{address}"]


def hosts(seed=1):
    """All spellings, in an order that mixes them, with ports here and there."""
    chance = random.Random(seed)
    found = [host for four in addresses_4() for host in spell_4(four)]
    found += [host for six in addresses_6() for host in spell_6(six)]
    found = list(dict.fromkeys(found))
    chance.shuffle(found)
    return [host + chance.choice(["", "", ":443", ":80", ":22", ":6379", ":8443"])
            if not host.startswith("user") else host for host in found]


def item(address):
    return f"a{int(address):08x}" if address.version == 4 else f"b{int(address):032x}"


def changing_names():
    """Names that lead to a public address now and to a denied one then, or to both at once."""
    public = ["a01010101", "b26064700000000000000000000001111"]
    names = []
    for address in addresses_4() + addresses_6():
        bad = item(address)
        for good in public:
            names += [f"{good}-{bad}.test", f"{bad}-{good}.test", f"turn.{good}-{bad}.test",
                      f"turn.{bad}-{good}.test"]
    return names
