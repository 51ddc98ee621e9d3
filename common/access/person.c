/* A person's kit: a restore kit, or a quorum member's key alone. */
#include <string.h>

#include "common/access/access.h"
#include "common/crypto/paper.h"

#include "common/base/banned.h"

enum { ROLE_AT = 8 };

/* The role stands in front of what the passphrase protects. */
static int role_of(const char *path, enum keyfile_role *role, struct error *err)
{
    struct buf file = BUF_INIT;
    struct error why = ERROR_INIT;
    struct secret *typed = NULL;
    const uint8_t *bytes = NULL;
    size_t len = 0;
    int rc = keyfile_load(path, &file, err);
    if (rc == 0 && file.len > ROLE_AT && memcmp(file.data, "BK1KEYF\n", ROLE_AT) == 0) {
        bytes = file.data;
        len = file.len;
    } else if (rc == 0 && (typed = paper_decode((const char *)file.data, file.len, &why)) != NULL) {
        bytes = secret_view(typed);
        len = secret_len(typed);
    }
    *role = bytes != NULL && len > ROLE_AT && bytes[ROLE_AT] == KEYFILE_MEMBER ? KEYFILE_MEMBER : KEYFILE_KIT;
    secret_free(typed);
    buf_wipe(&file);
    return rc; /* what is no key file is judged by access_key_block */
}

int access_person_kit(const char *path, const struct conf_secret *reference, bool prompt,
                      struct restore_kit *out, struct error *err)
{
    enum keyfile_role role;
    struct error why = ERROR_INIT;
    int rc = role_of(path, &role, err);
    if (rc < 0)
        return rc;
    if (role == KEYFILE_KIT)
        return access_kit(path, reference, prompt, out, err);
    struct member_kit member = { .r = NULL };
    struct secret *block = access_key_block(path, KEYFILE_MEMBER, reference, prompt, &why);
    rc = block != NULL ? member_kit_decode(block, &member, &why) : why.code;
    secret_free(block);
    if (rc < 0)
        return error_copy(err, &why);
    *out = (struct restore_kit){ .r = member.r };
    memcpy(out->repo_id, member.repo_id, REPO_ID_LEN);
    memcpy(out->root_pk, member.root_pk, SIGN_PK_LEN);
    return 0;
}
