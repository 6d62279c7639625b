"""What the service's per-message result codes mean, and what to do about each.

Codes and meanings are those that public clients quote from SENS API: Get message, in our own
words. The classes are our reading. Codes that are not here are passed through as they came: new
ones appear, and not all are digits.
"""

from enum import StrEnum
from typing import Final, NamedTuple

__all__ = ["ResultClass", "ResultCode", "explain", "known_codes"]


class ResultClass(StrEnum):
    """What a result asks of the sender."""

    DELIVERED = "DELIVERED"
    """It arrived."""
    TRANSIENT = "TRANSIENT"
    """The network, the handset or the service, at that moment: later it may pass."""
    PERMANENT = "PERMANENT"
    """This number or this content; the same message will fail again."""
    FIX_REQUEST = "FIX_REQUEST"
    """What was asked for is wrong; mend it first."""
    QUOTA = "QUOTA"
    """A sending or upload allowance is used up."""
    NEVER_RESEND = "NEVER_RESEND"
    """Blocked on purpose (a duplicate, an opt-out, a forbidden hour): sending again does harm."""
    UNKNOWN = "UNKNOWN"
    """A code that is not in the table."""


class ResultCode(NamedTuple):
    """One result code, explained.

    Attributes:
        code: As the service writes it.
        english: What it means.
        korean: The same in Korean.
        kind: What it asks of the sender.
    """

    code: str
    english: str
    korean: str
    kind: ResultClass


def explain(code: str) -> ResultCode:
    """Explain a result code; one that is not known is `ResultClass.UNKNOWN`."""
    found = _TABLE.get(code)
    if found is None:
        return ResultCode(code, "unknown result code", "알 수 없는 결과 코드", ResultClass.UNKNOWN)
    return ResultCode(code, *found, _kind(code))


def known_codes() -> tuple[str, ...]:
    """Give every code of the table, in the order of the service's own tables."""
    return tuple(_TABLE)


def _kind(code: str) -> ResultClass:
    return _EXCEPTIONS.get(code) or _BY_FIRST[code[0]]


_BY_FIRST: Final = {
    "2": ResultClass.TRANSIENT,
    "3": ResultClass.PERMANENT,
    "1": ResultClass.FIX_REQUEST,
    "S": ResultClass.FIX_REQUEST,
    "E": ResultClass.FIX_REQUEST,
}

_EXCEPTIONS: Final = {
    "0": ResultClass.DELIVERED,
    "3005": ResultClass.TRANSIENT,
    "3011": ResultClass.TRANSIENT,
    "1001": ResultClass.TRANSIENT,
    "S000": ResultClass.TRANSIENT,
    "S001": ResultClass.TRANSIENT,
    "S998": ResultClass.TRANSIENT,
    "1005": ResultClass.QUOTA,
    "S004": ResultClass.QUOTA,
    "S010": ResultClass.QUOTA,
    "E915": ResultClass.NEVER_RESEND,
    "E916": ResultClass.NEVER_RESEND,
    "E917": ResultClass.NEVER_RESEND,
    "E919": ResultClass.NEVER_RESEND,
    # Nothing says that the same message would fare better.
    "S999": ResultClass.PERMANENT,
    "E999": ResultClass.PERMANENT,
}

_TABLE: Final = {
    # Report codes: from the carrier.
    "0": ("delivered", "전송 성공"),
    "2000": ("sending timed out", "전송 시간 초과"),
    "2001": ("failed in the radio network", "무선망에서 전송 실패"),
    "2002": ("failed between network and handset", "무선망과 단말기 사이에서 전송 실패"),
    "2003": ("the handset is off", "단말기 전원 꺼짐"),
    "2004": ("the handset's message memory is full", "단말기 메시지함 가득 참"),
    "2005": ("the handset has no coverage", "음영 지역"),
    "2006": ("the message was deleted on the way", "메시지 삭제됨"),
    "2007": ("temporary problem of the handset", "단말기의 일시적 문제"),
    "3000": ("cannot be sent", "전송할 수 없음"),
    "3001": ("no such subscriber", "가입자 없음"),
    "3002": ("the adult check failed", "성인 인증 실패"),
    "3003": ("malformed recipient number", "수신번호 형식 오류"),
    "3004": ("the subscriber's service is suspended", "서비스 일시 정지"),
    "3005": ("the handset was busy with a call", "단말기 호 처리 중"),
    "3006": ("the recipient refuses messages", "수신 거부"),
    "3007": ("the handset cannot take a callback URL", "콜백 URL을 받을 수 없는 단말기"),
    "3008": ("another problem of the handset", "기타 단말기 문제"),
    "3009": ("malformed message", "메시지 형식 오류"),
    "3010": ("the handset cannot receive MMS", "MMS를 지원하지 않는 단말기"),
    "3011": ("server error at the carrier", "서버 오류"),
    "3012": ("held to be spam", "스팸으로 분류됨"),
    "3013": ("the service is refused", "서비스 거부"),
    "3014": ("another reason at the carrier", "기타"),
    "3015": ("no route to the recipient", "전송 경로 없음"),
    "3016": ("the attachment is too big", "첨부 파일 크기 초과"),
    "3017": ("breaks the rules against forged caller IDs", "발신번호 변작 방지 규칙 위반"),
    "3018": (
        "the caller's number is under the service against forged caller IDs",
        "발신번호 변작 방지 서비스에 가입된 발신번호",
    ),
    "3019": ("the caller is blocked by an authority", "관계 기관의 요청으로 발신 차단"),
    "3022": ("the charset could not be converted", "문자셋 변환 오류"),
    "3023": ("the caller's number is not registered", "사전 등록되지 않은 발신번호"),
    # Response codes: from the relay.
    "1001": ("the server is busy, its queue is full", "서버 혼잡(대기열 가득 참)"),
    "1002": ("malformed recipient number", "수신번호 형식 오류"),
    "1003": ("malformed callback number", "회신번호 형식 오류"),
    "1004": ("held to be spam", "스팸으로 분류됨"),
    "1005": ("the usage count is exceeded", "사용 건수 초과"),
    "1006": ("the attachment is missing", "첨부 파일 없음"),
    "1007": ("there is an attachment where none may be", "첨부 파일이 있음"),
    "1008": ("the attachment could not be stored", "첨부 파일 저장 실패"),
    "1009": ("no client message key", "클라이언트 메시지 키 없음"),
    "1010": ("no content", "본문 없음"),
    "1011": ("no callback number", "회신번호 없음"),
    "1012": ("no recipient", "수신자 정보 없음"),
    "1013": ("no subject", "제목 없음"),
    "1014": ("no attachment key", "첨부 파일 키 없음"),
    "1015": ("no attachment name", "첨부 파일 이름 없음"),
    "1016": ("no attachment size", "첨부 파일 크기 없음"),
    "1017": ("no attachment content", "첨부 파일 내용 없음"),
    "1018": ("no permission", "권한 없음"),
    "1019": ("the time to live was exceeded", "유효 시간(TTL) 초과"),
    "1020": ("the charset could not be converted", "문자셋 변환 오류"),
    "S000": ("the relay request failed (server)", "중계 요청 실패(서버)"),
    "S001": ("the relay request failed (server)", "중계 요청 실패(서버)"),
    "S002": ("bad request", "잘못된 요청"),
    "S003": ("held to be spam", "스팸으로 분류됨"),
    "S004": ("the quota is used up", "발송 한도 초과"),
    "S005": ("bad MMS file", "잘못된 MMS 파일"),
    "S006": ("MMS file not found", "MMS 파일을 찾을 수 없음"),
    "S007": ("MMS file expired", "MMS 파일 유효 기간 만료"),
    "S008": ("MMS file too big", "MMS 파일 크기 초과"),
    "S009": ("the picture has too many pixels", "이미지 해상도 초과"),
    "S010": ("the upload quota is used up", "파일 업로드 한도 초과"),
    "S011": ("the upload failed", "파일 업로드 실패"),
    "S012": ("the caller's number breaks a rule", "발신번호 규칙 오류"),
    "S998": ("unexpected server error", "예기치 못한 서버 오류"),
    "S999": ("another error of the relay", "기타 오류"),
    # Agent codes.
    "E900": ("no key", "전송 키 없음"),
    "E901": ("no recipient number", "수신번호 없음"),
    "E902": ("a broadcast without recipient sequence", "동보 전송의 수신번호 순번 없음"),
    "E903": ("no subject", "제목 없음"),
    "E904": ("no message", "메시지 없음"),
    "E905": ("no callback number", "회신번호 없음"),
    "E906": ("no message key", "메시지 키 없음"),
    "E907": ("no broadcast flag", "동보 여부 없음"),
    "E908": ("no service type", "서비스 유형 없음"),
    "E909": ("no send time", "전송 요청 시각 없음"),
    "E910": ("no time to live", "유효 시간(TTL) 없음"),
    "E911": ("an MMS attachment without file extension", "MMS 첨부 파일의 확장자 없음"),
    "E912": ("the attachment is not in its folder", "첨부 파일이 폴더에 없음"),
    "E913": ("an attachment of size 0", "첨부 파일 크기가 0"),
    "E914": ("a file group key without rows", "파일 그룹 키에 해당하는 파일 없음"),
    "E915": ("a duplicate message", "중복 메시지"),
    "E916": ("blocked by the authentication server", "인증 서버에서 차단됨"),
    "E917": ("blocked in the customer's database", "고객 데이터베이스에서 차단됨"),
    "E918": ("the user callback failed", "사용자 콜백 실패"),
    "E919": ("a restricted sending time: do not resend", "발송 제한 시간(재전송 금지)"),
    "E920": ("an LMS with a file group key", "LMS에 파일 그룹 키가 있음"),
    "E921": ("an MMS without a file group key", "MMS에 파일 그룹 키가 없음"),
    "E922": ("forbidden characters in the words of a broadcast", "동보 단어에 금지 문자 포함"),
    "E999": ("another error of the agent", "기타 오류"),
}
"""Code -> meaning in English and Korean (SENS API: Get message, `statusCode`)."""
