"""Delivery results: what the codes say, and the numbers that ask for one.

With `EmulatorOptions.magic_numbers`, a number says what becomes of its message. They begin with
`0101`, a range that is not given to subscribers:

    010-1900-CCCC   ends with the code CCCC: 01019003001 with 3001, 01019000000 with 0 (delivered)
    010-1905-0CCC   ends with the code ECCC: 01019050917 with E917 (E is letter 05)
    010-1919-0CCC   ends with the code SCCC: 01019190004 with S004 (S is letter 19)
    010-1999-SSSS   is delivered SSSS seconds after it left, 01019999999 never

Any code can be asked for, also one that nobody knows.

Source of the codes: SENS API, "Get message result", as clients quote it.
"""

import re

__all__ = ["DELIVERED", "MAGIC", "message_of", "ordered_code", "ordered_delay"]

DELIVERED = "0"
MAGIC = "01019"
"""What all magic numbers begin with."""

_CODE = re.compile(r"0101900(\d{4})", re.ASCII)
_E_CODE = re.compile(r"01019050(\d{3})", re.ASCII)
_S_CODE = re.compile(r"01019190(\d{3})", re.ASCII)
_SECONDS = re.compile(r"0101999(\d{4})", re.ASCII)
_NEVER = 9999


def ordered_code(number: str) -> str | None:
    """The code that a magic number asks for; None for any other number."""
    if not number.startswith(MAGIC):
        return None
    for pattern, letter in ((_E_CODE, "E"), (_S_CODE, "S")):
        match = pattern.fullmatch(number)
        if match is not None:
            return letter + match[1]
    match = _CODE.fullmatch(number)
    if match is None:
        return None
    return DELIVERED if match[1] == "0000" else match[1]


def ordered_delay(number: str) -> float | None:
    """Seconds in which a magic number is delivered, infinity for never; None for any other."""
    match = _SECONDS.fullmatch(number)
    if match is None:
        return None
    seconds = int(match[1])
    return float("inf") if seconds == _NEVER else float(seconds)


def message_of(code: str) -> str:
    """The words that stand beside a code in `statusMessage`."""
    return _MESSAGES.get(code, "기타 오류")


_MESSAGES = {
    "0": "성공",
    "2000": "전송 시간 초과",
    "2001": "전송 실패 (무선망단)",
    "2002": "전송 실패 (무선망 -> 단말기단)",
    "2003": "단말기 전원 꺼짐",
    "2004": "단말기 메시지 버퍼 풀",
    "2005": "음영지역",
    "2006": "메시지 삭제됨",
    "2007": "일시적인 단말 문제",
    "3000": "전송할 수 없음",
    "3001": "가입자 없음",
    "3002": "성인 인증 실패",
    "3003": "수신번호 형식 오류",
    "3004": "단말기 서비스 일시 정지",
    "3005": "단말기 호 처리 상태",
    "3006": "착신 거절",
    "3007": "콜백 URL을 받을 수 없는 단말",
    "3008": "기타 단말기 문제",
    "3009": "메시지 형식 오류",
    "3010": "MMS 미지원 단말",
    "3011": "서버 오류",
    "3012": "스팸",
    "3013": "서비스 거부",
    "3014": "기타",
    "3015": "전송 경로 없음",
    "3016": "첨부파일 크기 초과",
    "3017": "발신번호 변작 방지 규정 위반",
    "3018": "발신번호 변작 방지 서비스 가입 번호",
    "3019": "발신 차단된 번호",
    "3022": "문자셋 변환 오류",
    "3023": "발신번호 미등록",
    "E915": "중복 메시지",
    "E916": "인증 서버 차단",
    "E917": "고객 DB 차단",
    "E919": "전송 제한 시간",
    "S003": "스팸",
    "S004": "한도 초과",
    "S007": "MMS 파일 만료",
}
