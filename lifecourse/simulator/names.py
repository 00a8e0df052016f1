"""Names, schools and places that sound right and belong to nobody."""

from __future__ import annotations

import hashlib

import numpy as np

from lifecourse.simulator.draw import Rng
from lifecourse.simulator.sheets import Ints

SURNAMES = list("王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕") + [
    "欧阳",
    "上官",
]
_GIRL = list("梓涵欣怡诗雨佳琪思雅静婷玥萱彤艺妍晨曦悦宁馨依语")
_BOY = list("浩宇子轩俊杰博文天佑睿泽铭宸昊然嘉懿煜晨航皓志远凯旭")
_GROWN = list("建国志强伟军磊勇杰涛明辉丽敏静秀英芳燕玲桂兰红霞丹萍慧洁")
SCHOOLS = ["实验小学", "育才小学", "第一中学", "外国语学校", "附属小学", "第三中学", "阳光小学", "师大附中", "滨江小学", "中心小学"]  # fmt: skip
CITIES = [
    ("上海", ["浦东新区", "徐汇区", "杨浦区", "闵行区"]),
    ("杭州", ["西湖区", "滨江区", "拱墅区", "余杭区"]),
    ("南京", ["鼓楼区", "玄武区", "建邺区", "江宁区"]),
    ("苏州", ["姑苏区", "吴中区", "工业园区", "虎丘区"]),
]


def surnames(rng: Rng, rows: int) -> list[str]:
    weights = 1 / (np.arange(len(SURNAMES)) + 4.0)
    return [SURNAMES[i] for i in rng.choice(len(SURNAMES), rows, p=weights / weights.sum())]


def given_names(rng: Rng, girls: np.ndarray) -> list[str]:
    """A child's given name of one or two characters."""
    two = rng.random(len(girls)) < 0.8
    first, second = rng.integers(0, 25, (2, len(girls)))
    found = []
    for girl, long, a, b in zip(girls, two, first, second, strict=True):
        pool = _GIRL if girl else _BOY
        found.append(pool[a % len(pool)] + (pool[b % len(pool)] if long else ""))
    return found


def grown_names(rng: Rng, rows: int) -> list[str]:
    """A grown-up's given name."""
    first, second = rng.integers(0, len(_GROWN), (2, rows))
    return [_GROWN[a] + _GROWN[b] for a, b in zip(first, second, strict=True)]


def phones(contacts: Ints) -> list[str]:
    """A phone number for every contact id, no two alike.

    Eleven digits that begin with 12, like a mobile number at first sight. Mobile numbers of mainland
    China begin with 13 to 19; 12 is kept for short service numbers (12306, 12345), so that nobody
    can have one of these.
    """
    # 3**18 and 10**9 have no common factor, hence different ids give different numbers.
    return [f"12{(int(c) * 387_420_489 + 271_828_182) % 1_000_000_000:09d}" for c in contacts]


def unionids(seed: int, contacts: Ints) -> list[str]:
    """A WeChat unionid of the usual look for every contact id."""
    return ["oSIM" + hashlib.blake2b(f"{seed}:{c}".encode(), digest_size=12).hexdigest() for c in contacts]
