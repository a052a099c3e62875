"""A file comes whole from whatever servers, or a sentence says why not."""

from faults import servers


def test_downloads_from_bad_servers(tmp_path):
    outcome = servers.downloads(len(servers.BAD), 0, tmp_path)
    assert outcome.lost == []
    assert outcome.tried == len(servers.BAD) and 0 < outcome.refused < outcome.tried
