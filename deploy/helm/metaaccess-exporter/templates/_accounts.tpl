{{/* The key of an account's credential in the chart's Secret. It goes by the account's name and not by its place, so
     that no account is ever read by the credential of another while a change of the list arrives piece by piece. */}}
{{- define "metaaccess-exporter.credentialKey" -}}
{{- $words := regexReplaceAll "[^a-z0-9]+" (lower .) "-" | trimAll "-" | trunc 40 | trimSuffix "-" -}}
{{- printf "account-%s%s" (ternary "" (printf "%s-" $words) (empty $words)) (sha256sum . | trunc 12) -}}
{{- end -}}

{{/* The credential of an account and where it is: (list $ ACCOUNT) -> {kind, secret, key, value}. */}}
{{- define "metaaccess-exporter.credential" -}}
{{- $root := first . -}}
{{- $account := last . -}}
{{- range $kind := list "client_secret" "access_token" -}}
{{- with get $account $kind -}}
{{- $found := dict "kind" $kind "secret" (include "metaaccess-exporter.fullname" $root) "key" (include "metaaccess-exporter.credentialKey" $account.name) "value" (.value | default "") -}}
{{- if .existingSecret -}}
{{- $found = dict "kind" $kind "secret" .existingSecret "key" .key -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The file of --config.file. Accounts with one key of one Secret name one file: the exporter tells by it that they
     share their requests. */}}
{{- define "metaaccess-exporter.accountsFile" -}}
{{- $root := . -}}
{{- $accounts := list -}}
{{- range .Values.accounts -}}
{{- $credential := include "metaaccess-exporter.credential" (list $root .) | fromJson -}}
{{- $file := printf "secrets/%s/%s" $credential.secret $credential.key -}}
{{- $accounts = append $accounts (set (omit . "client_secret" "access_token") (printf "%s_file" $credential.kind) $file) -}}
{{- end -}}
{{- dict "accounts" $accounts | toYaml -}}
{{- end -}}

{{/* What the chart's own Secret holds, by key. */}}
{{- define "metaaccess-exporter.secretData" -}}
{{- $root := . -}}
{{- $data := dict -}}
{{- if not .Values.demo -}}
{{- range .Values.accounts -}}
{{- $credential := include "metaaccess-exporter.credential" (list $root .) | fromJson -}}
{{- if hasKey $credential "value" -}}
{{- $_ := set $data $credential.key (b64enc $credential.value) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- with .Values.metrics.hostnameKey.value -}}
{{- $_ := set $data "hostname-key" (b64enc .) -}}
{{- end -}}
{{- with .Values.web.config.value -}}
{{- $_ := set $data "web.yml" (toYaml . | b64enc) -}}
{{- end -}}
{{- toJson $data -}}
{{- end -}}

{{/* What the chart's own ConfigMap holds, by key. */}}
{{- define "metaaccess-exporter.configData" -}}
{{- $data := dict -}}
{{- if not .Values.demo -}}
{{- $_ := set $data "accounts.yml" (include "metaaccess-exporter.accountsFile" .) -}}
{{- with .Values.api.ca.value -}}
{{- $_ := set $data "ca.crt" . -}}
{{- end -}}
{{- end -}}
{{- toJson $data -}}
{{- end -}}
